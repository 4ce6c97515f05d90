//! What a case is computed on: from a file, so that another program gets the same, or from a seed.

use std::path::{Path, PathBuf};

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Shape, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::error::BenchError;
use crate::device::normal;
use crate::kernel::map_weights;

/// The inputs of a case.
pub(super) struct Inputs(Source);

enum Source {
    File(PathBuf, MmapedSafetensors),
    Seed,
}

impl Inputs {
    /// Those of the file, or standard normal ones where there is none.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, BenchError> {
        let Some(path) = path else { return Ok(Self(Source::Seed)) };
        let file = map_weights(path).map_err(|cause| BenchError::file(path, cause))?;
        Ok(Self(Source::File(path.to_owned(), file)))
    }

    /// The input `name`, in single precision.
    ///
    /// # Errors
    /// Where the file lacks it, or has it in another shape.
    pub(super) fn get(&self, name: &str, shape: impl Into<Shape>) -> Result<Tensor, BenchError> {
        let shape = shape.into();
        match &self.0 {
            Source::File(path, file) => {
                let view = file.get(name).map_err(|_| {
                    BenchError::input(name, format!("is missing from {}", path.display()))
                })?;
                if view.shape() != shape.dims() {
                    let cause = format!("is {:?}, and must be {:?}", view.shape(), shape.dims());
                    return Err(BenchError::input(name, cause));
                }
                Ok(file.load(name, &Device::Cpu)?.to_dtype(DType::F32)?)
            }
            Source::Seed => {
                // Every name has noise of its own.
                let seed = name
                    .bytes()
                    .fold(1, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                let values = normal(&mut random, shape.elem_count());
                Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
            }
        }
    }

    /// Whether a file gives the input `name`.
    pub(super) fn holds(&self, name: &str) -> bool {
        match &self.0 {
            Source::File(_, file) => file.get(name).is_ok(),
            Source::Seed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_input_comes_from_the_file_or_is_refused_by_its_name() {
        let desk = tempfile::tempdir().unwrap();
        let path = desk.path().join("inputs.safetensors");
        let tensor = Tensor::new(&[[1f32, 2.0]], &Device::Cpu).unwrap();
        let halves = tensor.to_dtype(DType::BF16).unwrap();
        candle_core::safetensors::save(&[("sample".to_owned(), halves)].into(), &path).unwrap();
        let inputs = Inputs::open(Some(&path)).unwrap();
        let read = inputs.get("sample", (1, 2)).unwrap();
        assert_eq!(read.to_vec2::<f32>().unwrap(), [[1.0, 2.0]]);
        for (name, shape, words) in
            [("sample", (2, 1), "[1, 2], and must be [2, 1]"), ("target", (1, 2), "is missing")]
        {
            let error = inputs.get(name, shape).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(words), "{error}");
        }
        assert!(inputs.holds("sample") && !inputs.holds("target"));
        assert!(Inputs::open(Some(&desk.path().join("gone"))).is_err());
    }

    #[test]
    fn without_a_file_every_name_has_noise_of_its_own() {
        let inputs = Inputs::open(None).unwrap();
        let values = |name| inputs.get(name, 4).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values("sample"), values("sample"));
        assert_ne!(values("sample"), values("target"));
    }
}
