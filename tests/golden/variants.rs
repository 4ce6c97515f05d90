//! Networks in forms that the pipelines' models have not.

use candle_core::{Device, Tensor};
use skiagraph_engine::model::{Added, Bundle, UnetInput};
use skiagraph_engine::nn::to_planes;

use super::{Golden, folder_of};

const TOLERANCE: f32 = 1e-4;
const UNETS: [&str; 13] = [
    "plain",
    "layers",
    "large",
    "heads",
    "bottomless",
    "guided",
    "lopsided",
    "nine",
    "enlarging",
    "classes",
    "timed",
    "distilled",
    "kernels",
];

/// A question as the maker asked it.
struct Asked<'a> {
    sample: &'a Tensor,
    timesteps: Vec<f64>,
    context: &'a Tensor,
    added: Option<Added<'a>>,
    guidance: Option<&'a Tensor>,
    classes: Option<&'a Tensor>,
}

impl<'a> Asked<'a> {
    fn of(golden: &'a Golden, place: &str) -> Self {
        let find = |name: &str| golden.find(&format!("{place}.{name}"));
        let timesteps: Vec<f32> = find("timestep").unwrap().to_vec1().unwrap();
        Self {
            sample: find("sample").unwrap(),
            timesteps: timesteps.into_iter().map(f64::from).collect(),
            context: find("encoder_hidden_states").unwrap(),
            added: find("text_embeds")
                .zip(find("time_ids"))
                .map(|(text_embeds, time_ids)| Added { text_embeds, time_ids }),
            guidance: find("timestep_cond"),
            classes: find("class_labels"),
        }
    }

    fn input(&self) -> UnetInput<'_> {
        UnetInput {
            added: self.added,
            guidance: self.guidance,
            classes: self.classes,
            ..UnetInput::new(self.sample, &self.timesteps, self.context)
        }
    }
}

fn bundle(name: &str) -> Bundle {
    Bundle::of_parts(&folder_of("networks").join(name)).unwrap()
}

#[test]
fn unets_of_every_form_predict_what_diffusers_predicts() {
    let golden = Golden::open("networks");
    for name in UNETS {
        let (unet, _) = bundle(name).unet(false, &Device::Cpu).unwrap();
        for batch in [2, 1] {
            let place = format!("{name}.{batch}");
            let ours = unet.predict(&Asked::of(&golden, &place).input()).unwrap();
            golden.check(name, &format!("{place}.out"), &ours, TOLERANCE);
        }
    }
}

#[test]
fn controlnets_add_what_diffusers_adds() {
    let golden = Golden::open("networks");
    for name in ["plain", "large"] {
        let network = bundle(name).controlnet(0, &Device::Cpu).unwrap();
        let place = format!("{name}.controlnet");
        let condition = golden.get(&format!("{place}.condition"));
        let ours = network.forward(&Asked::of(&golden, &place).input(), condition).unwrap();
        golden.check(name, &format!("{place}.mid"), &to_planes(&ours.mid).unwrap(), TOLERANCE);
        assert!(golden.find(&format!("{place}.down_{}", ours.down.len())).is_none());
        for (level, ours) in ours.down.iter().enumerate() {
            let ours = to_planes(ours).unwrap();
            golden.check(name, &format!("{place}.down_{level}"), &ours, TOLERANCE);
        }
        // A condition of another size than the image's is refused, not stretched.
        let small = condition.narrow(3, 0, 32).unwrap();
        assert!(network.forward(&Asked::of(&golden, &place).input(), &small).is_err());
    }
}

#[test]
fn t2i_adapters_see_what_diffusers_sees() {
    let golden = Golden::open("networks");
    for name in ["plain", "layers", "large", "heads"] {
        let network = bundle(name).t2i_adapter(&Device::Cpu).unwrap();
        let place = format!("{name}.adapter");
        let features = network.forward(golden.get(&format!("{place}.condition"))).unwrap();
        assert!(golden.find(&format!("{place}.feature_{}", features.len())).is_none());
        for (level, ours) in features.iter().enumerate() {
            let ours = to_planes(ours).unwrap();
            golden.check(name, &format!("{place}.feature_{level}"), &ours, TOLERANCE);
        }
        if golden.find(&format!("{place}.out")).is_some() {
            let (unet, _) = bundle(name).unet(false, &Device::Cpu).unwrap();
            let asked = Asked::of(&golden, &place);
            let input = UnetInput { features: Some(&features), ..asked.input() };
            let ours = unet.predict(&input).unwrap();
            golden.check(name, &format!("{place}.out"), &ours, TOLERANCE);
        }
    }
}

#[test]
fn large_images_go_through_tile_by_tile_as_in_diffusers() {
    let golden = Golden::open("networks");
    for name in ["tiles", "bare"] {
        let vae = bundle(name).vae(&Device::Cpu).unwrap();
        let get = |what: &str| golden.get(&format!("{name}.{what}"));
        let (mean, _) = vae.encode_tiled(get("image")).unwrap();
        golden.check(name, &format!("{name}.mean"), &mean, TOLERANCE);
        let decoded = vae.decode_tiled(get("latent")).unwrap();
        golden.check(name, &format!("{name}.decoded"), &decoded, TOLERANCE);
        // What fits into a tile is not cut.
        let small = get("latent").narrow(2, 0, 8).unwrap().narrow(3, 0, 8).unwrap();
        let (whole, tiled) = (vae.decode(&small).unwrap(), vae.decode_tiled(&small).unwrap());
        assert!(super::deviation(&tiled, &whole) == 0.0);
    }
}
