//! The tensors of one layer's change, under the names of each form.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::change::{Axis, Change, Factors, Matrix};
use crate::kernel::Fault;

/// Tensors by their keys.
pub(super) type Tensors = BTreeMap<String, Tensor>;

impl Change {
    pub(super) fn method(&self) -> &'static str {
        match self.factors {
            Factors::Lora { .. } => "LORA",
            Factors::Hadamard(..) => "LOHA",
            Factors::Kronecker(..) => "LOKR",
        }
    }

    pub(super) fn has_core(&self) -> bool {
        match &self.factors {
            Factors::Lora { .. } => false,
            Factors::Hadamard(first, second) | Factors::Kronecker(first, second) => {
                matches!(first, Matrix::Core(..)) || matches!(second, Matrix::Core(..))
            }
        }
    }

    /// The shape of the weight that factors of low rank change.
    fn base_shape(down: &Tensor, up: &Tensor) -> Vec<usize> {
        let mut shape = down.dims().to_vec();
        if let (Some(first), Some(output)) = (shape.first_mut(), up.dims().first()) {
            *first = *output;
        }
        shape
    }

    pub(super) fn peft_tensors(&self, layer: &str, out: &mut Tensors) -> Result<(), String> {
        let mut put =
            |name: &str, tensor: &Tensor| out.insert(format!("{layer}.{name}"), tensor.clone());
        match &self.factors {
            Factors::Lora { down, up, middle, bias } => {
                let down = match middle {
                    Some(_) => self.composed().map_err(Fault::words)?,
                    None => down.clone(),
                };
                put("lora_A.weight", &down);
                put("lora_B.weight", up);
                if let Some(bias) = bias {
                    put("lora_B.bias", bias);
                }
                if let Some(magnitude) = &self.magnitude {
                    let base = Self::base_shape(&down, up);
                    let (Some(Axis::Output), Some(output)) = (self.axis(&base), base.first())
                    else {
                        return Err(
                            "its magnitude goes over columns, which LyCORIS alone knows".into()
                        );
                    };
                    let mut shape = vec![*output];
                    if base.len() == 4 {
                        shape = vec![1, *output, 1, 1];
                    }
                    let magnitude = magnitude.reshape(shape).map_err(Fault::words)?;
                    put("lora_magnitude_vector", &magnitude);
                }
            }
            Factors::Hadamard(first, second) => {
                put_matrix(first, ["hada_w1", "hada_w1_a", "hada_w1_b", "hada_t1"], &mut put);
                put_matrix(second, ["hada_w2", "hada_w2_a", "hada_w2_b", "hada_t2"], &mut put);
            }
            Factors::Kronecker(first, second) => {
                put_matrix(first, ["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_t1"], &mut put);
                put_matrix(second, ["lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"], &mut put);
            }
        }
        Ok(())
    }

    pub(super) fn kohya_tensors(&self, layer: &str, out: &mut Tensors) -> Result<(), String> {
        if let Factors::Lora { bias: Some(_), .. } = &self.factors {
            return Err("kohya's form has no bias".into());
        }
        let alpha = match (&self.factors, self.factors.rank()) {
            (_, Some(rank)) => self.scale() * rank as f64,
            (_, None) => 1.0,
        };
        let mut parts = Tensors::new();
        match &self.factors {
            Factors::Lora { down, up, middle, .. } => {
                parts.insert("lora_down.weight".into(), down.clone());
                parts.insert("lora_up.weight".into(), up.clone());
                if let Some(middle) = middle {
                    parts.insert("lora_mid.weight".into(), middle.clone());
                }
                if let Some(magnitude) = &self.magnitude {
                    let base = Self::base_shape(down, up);
                    let mut shape = vec![1; base.len()];
                    let along = match self.axis(&base).ok_or("its magnitude fits no axis")? {
                        Axis::Output => 0,
                        Axis::Input => 1,
                    };
                    shape[along] = base[along];
                    let magnitude = magnitude.reshape(shape).map_err(Fault::words)?;
                    parts.insert("dora_scale".into(), magnitude);
                }
            }
            // Whole matrices act as they are in LyCORIS: what PEFT would multiply by stands in one.
            Factors::Kronecker(Matrix::Whole(first), Matrix::Whole(_)) => {
                self.peft_tensors("", &mut parts)?;
                if (self.scale() - 1.0).abs() > 0.0 {
                    let first = first.to_dtype(DType::F32).and_then(|first| first * self.scale());
                    parts.insert(".lokr_w1".into(), first.map_err(Fault::words)?);
                }
            }
            Factors::Hadamard(..) | Factors::Kronecker(..) => self.peft_tensors("", &mut parts)?,
        }
        let scalar = Tensor::new(alpha as f32, &Device::Cpu).map_err(Fault::words)?;
        parts.insert("alpha".into(), scalar);
        for (name, tensor) in parts {
            out.insert(format!("{layer}.{}", name.trim_start_matches('.')), tensor);
        }
        Ok(())
    }
}

fn put_matrix(
    matrix: &Matrix,
    [whole, a, b, core]: [&str; 4],
    put: &mut impl FnMut(&str, &Tensor) -> Option<Tensor>,
) {
    match matrix {
        Matrix::Whole(value) => {
            put(whole, value);
        }
        Matrix::Product(left, right) => {
            put(a, left);
            put(b, right);
        }
        Matrix::Core(left, right, middle) => {
            put(a, left);
            put(b, right);
            put(core, middle);
        }
    }
}
