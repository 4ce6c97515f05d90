//! Whole pipelines, against diffusers' own: from noise, from an image, and into an image.

use std::collections::HashMap;

use candle_core::Device;
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::Frame;
use skiagraph_engine::model::Bundle;
use skiagraph_engine::sample::{Pipeline, Request, Seeded, Start, render};
use skiagraph_engine::serve::{GenerateRequest, ServeError, Service};

use super::{Golden, folder_of};

/// Of the image's brightest value; single precision loses a few millionths.
const TOLERANCE: f32 = 1e-3;

fn request(start: Start) -> Request {
    Request {
        prompt: "chest radiograph, AP view, child, male, bacterial pneumonia".into(),
        negative: "blurred".into(),
        steps: 6,
        guidance_scale: 4.0,
        start,
        ..Request::default()
    }
}

fn shown() -> HashMap<String, Frame> {
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
fn a_network_that_paints_into_images_asks_for_one() {
    let service = Service::open(&folder_of("pipelines/painter")).unwrap();
    let wanted = GenerateRequest { steps: 2, ..GenerateRequest::default() };
    let error = service.generate(&wanted, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(matches!(error, ServeError::Invalid { field: "mask", .. }), "{error}");
}
