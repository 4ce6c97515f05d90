//! UNet, autoencoder, text encoder, and the whole way from a prompt to an image.

use candle_core::{DType, Device, Tensor};
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::model::{Bundle, Part};
use skiagraph_engine::sample::{Pipeline, Request, generate};

use super::{Golden, folder_of};

/// Single precision loses about a millionth in networks of this depth.
const TOLERANCE: f32 = 1e-4;
const BUNDLES: [&str; 3] = ["sd1", "sd2", "ours"];

fn bundle(kind: &str) -> Bundle {
    Bundle::open(&folder_of(kind)).unwrap()
}

#[test]
fn unets_predict_what_diffusers_predicts() {
    for kind in BUNDLES {
        let golden = Golden::open(kind);
        let (unet, _) = bundle(kind).unet(false, &Device::Cpu).unwrap();
        let context = golden.get("unet.context");
        let timesteps = golden.get("unet.timesteps").to_vec1::<i64>().unwrap();
        let timesteps: Vec<f64> = timesteps.into_iter().map(|time| time as f64).collect();
        // An odd map is rounded up on the way down, and cut back on the way up.
        for size in ["even", "odd"] {
            let sample = golden.get(&format!("unet.{size}.sample"));
            let ours = unet.forward(sample, &timesteps, context).unwrap();
            golden.check(kind, &format!("unet.{size}.prediction"), &ours, TOLERANCE);
        }
    }
}

#[test]
fn autoencoders_encode_and_decode_as_diffusers_does() {
    for kind in BUNDLES {
        let golden = Golden::open(kind);
        let vae = bundle(kind).vae(&Device::Cpu).unwrap();
        let (mean, log_variance) = vae.encode(golden.get("vae.image")).unwrap();
        golden.check(kind, "vae.mean", &mean, TOLERANCE);
        golden.check(kind, "vae.log_variance", &log_variance, TOLERANCE);
        let decoded = vae.decode(golden.get("vae.latent")).unwrap();
        golden.check(kind, "vae.decoded", &decoded, TOLERANCE);
    }
}

#[test]
fn text_encoders_embed_as_transformers_does() {
    for kind in BUNDLES {
        let golden = Golden::open(kind);
        let (text, _) = bundle(kind).text_encoder(Part::TextEncoder, false, &Device::Cpu).unwrap();
        let tokens = golden.get("text.tokens").to_dtype(DType::U32).unwrap();
        golden.check(kind, "text.hidden", &text.forward(&tokens).unwrap(), TOLERANCE);
    }
}

#[test]
fn a_prompt_becomes_the_image_that_diffusers_makes_of_it() {
    for kind in ["sd1", "sd2"] {
        let golden = Golden::open(kind);
        let pipeline = Pipeline::load(&bundle(kind), &Device::Cpu).unwrap();
        for (name, guidance_scale) in [("guided", 4.0), ("plain", 1.0)] {
            let request = Request {
                prompt: "chest radiograph, AP view, child, male, bacterial pneumonia".into(),
                negative: "blurred".into(),
                seed: 7,
                steps: 5,
                guidance_scale,
                ..Request::default()
            };
            let cancel = CancelToken::new();
            let frame = generate(&pipeline, &request, 0, &mut |_| (), &cancel).unwrap();
            let side = pipeline.image_size();
            let ours = Tensor::from_vec(frame.pixels, (side, side), &Device::Cpu).unwrap();
            golden.check(kind, &format!("pipeline.{name}"), &ours, TOLERANCE);
        }
    }
}
