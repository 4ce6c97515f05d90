//! What the engine computes, against what PyTorch, diffusers and transformers compute.
//!
//! `make.py` beside this file and the subjects in `makers/` made the numbers (`make golden`). `sd1`,
//! `sd2` and those in `pipelines` are bundles that diffusers wrote; `ours` is one that the engine wrote
//! and diffusers read.

mod adapters;
mod captions;
mod full;
mod networks;
mod parameters;
mod pipelines;
mod prompts;
mod references;
mod schedulers;
mod speech;
mod variants;
mod vision;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

/// Golden tensors by name.
struct Golden(HashMap<String, Tensor>);

impl Golden {
    fn open(folder: &str) -> Self {
        let path = folder_of(folder).join("expected.safetensors");
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap())
    }

    fn find(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("no golden {name}"))
    }

    /// Fails where `ours` deviates from the golden numbers by more than `tolerance` of their largest.
    fn check(&self, what: &str, name: &str, ours: &Tensor, tolerance: f32) {
        let found = deviation(ours, self.get(name));
        println!("{what}: {name} deviates by {found:.1e}");
        assert!(found <= tolerance, "{what}: {name} deviates by {found}, over {tolerance}");
    }
}

fn folder_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// The largest difference, as a share of the largest golden value; infinite where a value is none.
fn deviation(ours: &Tensor, golden: &Tensor) -> f32 {
    assert_eq!(ours.dims(), golden.dims());
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (ours, golden) = (values(ours), values(golden));
    let largest = golden.iter().fold(0f32, |most, value| most.max(value.abs()));
    assert!(largest > 0.0 && largest.is_finite(), "golden numbers that say nothing");
    let differs = ours.iter().zip(&golden).map(|(a, b)| {
        let difference = (a - b).abs();
        if difference.is_finite() { difference } else { f32::INFINITY }
    });
    differs.fold(0f32, f32::max) / largest
}
