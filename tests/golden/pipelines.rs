//! Whole pipelines, against diffusers' own: from noise, from an image and into an image, led by ControlNets, and
//! Stable Diffusion XL.

use std::collections::HashMap;

use candle_core::Device;
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::{Frame, read_provenance};
use skiagraph_engine::model::Bundle;
use skiagraph_engine::noise::SchedulerConfig;
use skiagraph_engine::sample::{Control, Pipeline, Request, Seeded, Start, render};
use skiagraph_engine::serve::{GenerateRequest, Given, ServeError, Service, replay};

use super::{Golden, folder_of};

/// Of the image's brightest value; single precision loses a few millionths.
pub const TOLERANCE: f32 = 1e-3;

pub fn request(start: Start) -> Request {
    Request {
        prompt: "chest radiograph, AP view, child, male, bacterial pneumonia".into(),
        negative: "blurred".into(),
        steps: 6,
        guidance_scale: 4.0,
        start,
        ..Request::default()
    }
}

pub fn shown() -> HashMap<String, Frame> {
    let path = folder_of("pipelines").join("shown.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu)
        .unwrap()
        .into_iter()
        .map(|(name, picture)| {
            let (height, width) = picture.dims2().unwrap();
            let pixels = picture.flatten_all().unwrap().to_vec1().unwrap();
            (name, Frame { width: width as u32, height: height as u32, pixels })
        })
        .collect()
}

/// A condition that acts in every step.
pub fn control(network: usize, name: &str, weight: f64) -> Control {
    let image = shown().remove(name).unwrap();
    Control { network, image, weight, start: 0.0, end: 1.0 }
}

fn check(bundle: &str, cases: &[(&str, Request)]) {
    let golden = Golden::open("pipelines");
    let folder = folder_of("pipelines").join(bundle);
    let pipeline = Pipeline::load(&Bundle::open(&folder).unwrap(), &Device::Cpu).unwrap();
    for (name, request) in cases {
        // The seed that the maker gave diffusers.
        let ours = render(&pipeline, request, &mut Seeded::new(7)).unwrap();
        golden.check(bundle, name, &ours, TOLERANCE);
    }
}

#[test]
fn an_image_from_noise_is_diffusers() {
    let plain = request(Start::Noise);
    let rescaled = Request { guidance_rescale: 0.7, ..plain.clone() };
    let wide = Request { size: Some((24, 40)), ..plain.clone() };
    check("base", &[("text_to_image", plain), ("rescaled", rescaled), ("wide", wide)]);
}

#[test]
fn an_image_from_an_image_is_diffusers() {
    let image = shown().remove("init").unwrap();
    let of = |strength| request(Start::Image { image: image.clone(), strength });
    check("base", &[("image_to_image", of(0.6)), ("image_to_image_whole", of(1.0))]);
}

#[test]
fn a_part_made_anew_is_diffusers() {
    let mut shown = shown();
    let (image, mask) = (shown.remove("init").unwrap(), shown.remove("mask").unwrap());
    let of = |strength| {
        let (image, mask) = (image.clone(), mask.clone());
        request(Start::Inpaint { image, mask, strength })
    };
    check("base", &[("inpaint_blend", of(1.0)), ("inpaint_blend_part", of(0.7))]);
    check("painter", &[("inpaint_9", of(1.0)), ("inpaint_9_part", of(0.7))]);
}

#[test]
fn another_scheduler_is_diffusers() {
    let pipeline = Bundle::open(&folder_of("pipelines/base")).unwrap().scheduler().unwrap();
    let mut euler = SchedulerConfig::named("EulerDiscrete", &pipeline).unwrap().to_json();
    // The maker's DDIM left its spacing to its class, and Euler's class has another.
    euler["timestep_spacing"] = "linspace".into();
    let scheduler = Some(SchedulerConfig::parse(euler.to_string().as_bytes()).unwrap());
    check("base", &[("euler", Request { scheduler, ..request(Start::Noise) })]);
}

#[test]
fn what_control_networks_lead_is_diffusers() {
    let shown = shown();
    let control = |network, name: &str, weight, start, end| {
        let image = shown[name].clone();
        Control { network, image, weight, start, end }
    };
    let one = vec![control(0, "lungs", 0.8, 0.0, 1.0)];
    let two = vec![control(0, "lungs", 0.8, 0.0, 0.7), control(1, "edges", 0.5, 0.2, 1.0)];
    let towards = Start::Image { image: shown["init"].clone(), strength: 0.6 };
    let of =
        |start, controls: &[Control]| Request { controls: controls.to_vec(), ..request(start) };
    check(
        "base",
        &[
            ("control", of(Start::Noise, &one)),
            ("two_controls", of(Start::Noise, &two)),
            ("control_image_to_image", of(towards, &one)),
        ],
    );
}

#[test]
fn stable_diffusion_xl_is_diffusers() {
    let plain = request(Start::Noise);
    let wordless = Request { negative: String::new(), ..plain.clone() };
    check("xl", &[("xl", plain), ("xl_no_negative", wordless)]);
}

#[test]
fn a_control_that_cannot_act_is_refused_by_name() {
    let service = Service::open(&folder_of("pipelines/base"), &Device::Cpu).unwrap();
    assert_eq!(service.control_networks().len(), 2);
    let good = Control {
        network: 0,
        image: shown().remove("lungs").unwrap(),
        weight: 1.0,
        start: 0.0,
        end: 1.0,
    };
    let empty = Frame { pixels: vec![0.0; good.image.pixels.len()], ..good.image.clone() };
    let nothing = Frame { width: 0, height: 0, pixels: Vec::new() };
    for control in [
        Control { network: 2, ..good.clone() },
        Control { image: empty, ..good.clone() },
        Control { image: nothing, ..good.clone() },
        Control { weight: f64::NAN, ..good.clone() },
        Control { start: 0.5, end: 0.5, ..good.clone() },
        Control { end: 1.5, ..good.clone() },
    ] {
        let wanted =
            GenerateRequest { steps: 2, controls: vec![control], ..GenerateRequest::default() };
        let error = service.generate(&wanted, &mut |_| (), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ServeError::Invalid { field: "control", .. }), "{error}");
    }
}

#[test]
fn an_image_that_a_control_led_is_made_again() {
    let service = Service::open(&folder_of("pipelines/base"), &Device::Cpu).unwrap();
    let control = |network, name: &str| {
        let image = shown().remove(name).unwrap();
        Control { network, image, weight: 0.7, start: 0.1, end: 0.9 }
    };
    let wanted = GenerateRequest {
        steps: 4,
        scheduler: Some(SchedulerConfig::named("DPMSolverMultistep", service.scheduler()).unwrap()),
        controls: vec![control(1, "lungs"), control(0, "edges")],
        ..GenerateRequest::default()
    };
    let make = |request: &GenerateRequest| {
        service.generate(request, &mut |_| (), &CancelToken::new()).unwrap().remove(0)
    };
    let image = make(&wanted);
    let given = Given {
        controls: vec![shown().remove("edges").unwrap(), shown().remove("lungs").unwrap()],
        ..Given::default()
    };
    let networks = service.control_networks();
    for file in [&image.png, &image.dicom] {
        let made = read_provenance(file).unwrap();
        assert_eq!(made.provenance.scheduler, "DPMSolverMultistepScheduler");
        let request = replay(&made, service.card(), networks, &given).unwrap();
        assert!(make(&request).png == image.png);
        let none = replay(&made, service.card(), &[], &given).unwrap_err();
        assert!(matches!(none, ServeError::Invalid { field: "control", .. }), "{none}");
    }
}

#[test]
fn a_network_that_paints_into_images_asks_for_one() {
    let service = Service::open(&folder_of("pipelines/painter"), &Device::Cpu).unwrap();
    let wanted = GenerateRequest { steps: 2, ..GenerateRequest::default() };
    let error = service.generate(&wanted, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(matches!(error, ServeError::Invalid { field: "mask", .. }), "{error}");
}
