//! Adapters in training: every factor has its gradient, and nothing of the base moves.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Result, Tensor, Var};

use super::attach::{Networks, low_rank};
use super::card::AdapterCard;
use super::change::{Change, Factors, Matrix, rows};
use super::dora::Norms;
use super::error::AdapterError;
use super::fresh::{AdaptedLayer, AdapterConfig};
use super::names::{Component, Form, Place, bare};
use super::read::Adapter;
use crate::kernel::{self, Weight};
use crate::nn::{Base, Delta, Operation};

/// LyCORIS's file in the folder of a trained adapter of its kinds.
const LYCORIS: &str = "lycoris.safetensors";

/// Puts `adapter` on a model as [`super::attach`] does at scale 1, but so that its factors are asked
/// anew in every step and have their gradients: beside the base, whatever its kind.
///
/// # Errors
/// [`AdapterError::WrongBase`] where a layer does not fit. The model is then as it was.
pub fn attach_trainable(
    networks: &Networks,
    adapter: &Adapter,
) -> std::result::Result<(), AdapterError> {
    let mut deltas = Vec::new();
    for component in Component::ALL {
        let slots = networks.slots(component);
        let fitted = adapter.fit(component, &slots)?;
        for (path, slot) in slots {
            let delta = fitted.get(&path).map(|change| delta(slot.base(), change)).transpose()?;
            deltas.push((slot, delta));
        }
    }
    for (slot, delta) in deltas {
        slot.fill(delta.into_iter().collect());
    }
    Ok(())
}

fn delta(base: &Base, change: &Change) -> Result<Arc<dyn Delta>> {
    if let Some(delta) = low_rank(base, change, 1.0)? {
        return Ok(delta);
    }
    Ok(match (&change.factors, &change.magnitude) {
        (Factors::Lora { bias: None, .. }, Some(magnitude)) => {
            let plain = Change { magnitude: None, ..change.clone() };
            let Some(product) = low_rank(base, &plain, 1.0)? else {
                candle_core::bail!("not a change of low rank")
            };
            let bias = base.bias.as_ref().map(|bias| bias.to_dtype(DType::F32)).transpose()?;
            let magnitude = magnitude.flatten_all()?.to_dtype(DType::F32)?;
            Arc::new(DoraDelta { norms: Norms::new(base, change)?, product, magnitude, bias })
        }
        (Factors::Kronecker(first, second), None) => Arc::new(KroneckerDelta {
            first: first.clone(),
            second: second.clone(),
            scale: change.scale(),
            dims: base.weight.dims().to_vec(),
            operation: base.operation,
        }),
        (Factors::Hadamard(..), None) => Arc::new(DenseDelta {
            change: change.clone(),
            dims: base.weight.dims().to_vec(),
            operation: base.operation,
        }),
        (Factors::Lora { .. } | Factors::Hadamard(..) | Factors::Kronecker(..), _) => {
            candle_core::bail!("a change of this kind is not trained here")
        }
    })
}

/// `x` through `weight` as the layer takes its own.
fn through(x: &Tensor, weight: Tensor, operation: Operation) -> Result<Tensor> {
    let weight = Weight::new(weight.to_dtype(x.dtype())?.contiguous()?)?;
    match operation {
        Operation::Linear => kernel::linear(x, &weight, None),
        Operation::Convolution(convolution) => kernel::conv2d(x, &weight, None, convolution),
    }
}

/// `m / ‖W + sBA‖ · (W + sBA)`, beside what the base answers already.
struct DoraDelta {
    norms: Norms,
    product: Arc<dyn Delta>,
    /// `[out]`
    magnitude: Tensor,
    bias: Option<Tensor>,
}

impl Delta for DoraDelta {
    fn forward(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let gain = self.magnitude.div(&self.norms.of()?)?;
        let bare = match &self.bias {
            Some(bias) => y.broadcast_sub(&bias.to_dtype(y.dtype())?)?,
            None => y.clone(),
        };
        // A gain of one, as it starts, adds nothing, bit by bit.
        let more = (&gain - 1.0)?.to_dtype(y.dtype())?;
        let product = self.product.forward(x, y)?.broadcast_mul(&gain.to_dtype(y.dtype())?)?;
        bare.broadcast_mul(&more)? + product
    }
}

/// A change without a cheaper form than the weight that it makes.
struct DenseDelta {
    change: Change,
    dims: Vec<usize>,
    operation: Operation,
}

impl Delta for DenseDelta {
    fn forward(&self, x: &Tensor, _y: &Tensor) -> Result<Tensor> {
        through(x, self.change.dense(&self.dims)?, self.operation)
    }
}

/// `s · (w₁ ⊗ w₂) x`, one side after the other: the product of the layer's size is never made.
struct KroneckerDelta {
    first: Matrix,
    second: Matrix,
    scale: f64,
    /// The layer's weight's.
    dims: Vec<usize>,
    operation: Operation,
}

impl Delta for KroneckerDelta {
    fn forward(&self, x: &Tensor, _y: &Tensor) -> Result<Tensor> {
        let first = (rows(&self.first.dense()?)? * self.scale)?;
        let (a, c) = first.dims2()?;
        let (b, d) = (self.dims[0] / a, self.dims[1] / c);
        let mut shape = self.dims.clone();
        (shape[0], shape[1]) = (b, d);
        let second = self.second.dense()?.reshape(shape)?;
        let mut out = x.dims().to_vec();
        // Both ways `inner` is what the second matrix made, `[…, c, b]`.
        let inner = match self.operation {
            Operation::Linear => {
                let split = x.reshape((x.elem_count() / (c * d), c, d))?;
                through(&split, second, self.operation)?
            }
            Operation::Convolution(_) => {
                let (batch, height, width, _) = x.dims4()?;
                let split = x.reshape((batch, height, width, c, d))?.permute((0, 3, 1, 2, 4))?;
                let maps = split.contiguous()?.reshape((batch * c, height, width, d))?;
                let y = through(&maps, second, self.operation)?;
                let (_, height, width, _) = y.dims4()?;
                (out[1], out[2]) = (height, width);
                let y = y.reshape((batch, c, height, width, b))?.permute((0, 2, 3, 1, 4))?;
                y.contiguous()?.reshape((batch * height * width, c, b))?
            }
        };
        let turned = inner.transpose(1, 2)?.contiguous()?;
        let y = through(&turned, first, Operation::Linear)?.transpose(1, 2)?.contiguous()?;
        if let Some(last) = out.last_mut() {
            *last = a * b;
        }
        y.reshape(out)
    }
}

impl Adapter {
    /// Writes the adapter as it is now, with `card`, into the folder `folder`: in PEFT's form, which
    /// every kind has, and the kinds of LyCORIS in LyCORIS's too. The factors are in half precision, the
    /// magnitudes in single.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save_trained(
        &self,
        folder: &Path,
        card: &AdapterCard,
    ) -> std::result::Result<(), AdapterError> {
        let mut layers = BTreeMap::new();
        for (place, change) in &self.layers {
            layers.insert(place.clone(), change.stored()?);
        }
        let written = Self { layers, card: Some(card.clone()), ..self.clone() };
        let is_lora = |change: &Change| matches!(change.factors, Factors::Lora { .. });
        if !written.layers.values().all(is_lora) {
            written.save(Form::Kohya, &folder.join(LYCORIS))?;
        }
        written.write_peft(folder)
    }
}

impl Adapter {
    /// Gives the factors of this adapter, which is fresh, the values of `before`.
    ///
    /// # Errors
    /// [`AdapterError::Config`] where the adapters differ in their layers, kinds or ranks. Nothing is changed
    /// then.
    pub fn go_on_from(&self, before: &Self) -> std::result::Result<(), AdapterError> {
        let fault = |cause: String| AdapterError::Config { field: "start", cause };
        let mut moves = Vec::new();
        for (place, change) in &self.layers {
            let name = format!("{} {}", place.component.folder(), place.path);
            let found = before.layers.iter().find(|(other, _)| {
                other.component == place.component && bare(&other.path) == bare(&place.path)
            });
            let Some((_, other)) = found else {
                return Err(fault(format!("the adapter has no {name}")));
            };
            let (to, from) = (change.tensors(), other.tensors());
            let same = to.len() == from.len()
                && to.iter().zip(&from).all(|(to, from)| to.elem_count() == from.elem_count())
                && change.method() == other.method()
                && change.magnitude.is_some() == other.magnitude.is_some();
            if !same {
                return Err(fault(format!("{name} is of another kind or rank in the adapter")));
            }
            // What stands first is a factor of every product: with it the change is as strong as it was, whatever
            // α and rank the other was scaled by.
            let ratio = other.scale() / change.scale();
            for (index, (to, from)) in to.into_iter().zip(from).enumerate() {
                let mut value = from.reshape(to.shape())?.to_dtype(to.dtype())?;
                if index == 0 && ratio.to_bits() != 1f64.to_bits() {
                    value = (value * ratio)?;
                }
                moves.push((Var::from_tensor(to)?, value.to_device(to.device())?));
            }
        }
        if before.layers.len() != self.layers.len() {
            return Err(fault("the adapter has layers that this one has not".into()));
        }
        for (to, value) in moves {
            to.set(&value)?;
        }
        Ok(())
    }
}

impl Adapter {
    /// This adapter with `kept` alone of the components of each of `layers`, made into one of `wanted`; layers of
    /// which nothing is kept are left out.
    ///
    /// # Errors
    /// Where a layer is not there, or not one of low rank.
    pub fn narrowed(
        &self,
        wanted: &AdapterConfig,
        layers: &[AdaptedLayer],
        kept: &[Vec<usize>],
    ) -> std::result::Result<Self, AdapterError> {
        let mut narrow = BTreeMap::new();
        for (layer, kept) in layers.iter().zip(kept).filter(|(_, kept)| !kept.is_empty()) {
            let place = Place { component: layer.component, path: layer.path.clone() };
            let fault = |cause: &str| {
                let cause = format!("{} {}: {cause}", place.component.folder(), place.path);
                AdapterError::Config { field: "layers", cause }
            };
            let change = self.layers.get(&place).ok_or_else(|| fault("is not adapted"))?;
            let Factors::Lora { down, up, middle: None, bias } = &change.factors else {
                return Err(fault("is not changed by a product of two factors"));
            };
            let indices: Vec<u32> = kept.iter().map(|index| *index as u32).collect();
            let indices = Tensor::new(indices, down.device())?;
            let factors = Factors::Lora {
                down: down.index_select(&indices, 0)?,
                up: up.index_select(&indices, 1)?,
                middle: None,
                bias: bias.clone(),
            };
            let narrowed = Change {
                factors,
                rank: Some(kept.len()),
                alpha: Some(wanted.alpha_of(&place.path)),
                rank_stabilised: wanted.rank_stabilised,
                ..change.clone()
            };
            narrow.insert(place, narrowed);
        }
        let configs = wanted.targets.keys().map(|of| (*of, wanted.peft(*of))).collect();
        Ok(Self { layers: narrow, configs, ..self.clone() })
    }
}

impl Change {
    /// Its tensors, in one order for every change of a kind.
    fn tensors(&self) -> Vec<&Tensor> {
        fn of(matrix: &Matrix) -> Vec<&Tensor> {
            match matrix {
                Matrix::Whole(whole) => vec![whole],
                Matrix::Product(a, b) => vec![a, b],
                Matrix::Core(a, b, core) => vec![a, b, core],
            }
        }
        let mut all = match &self.factors {
            Factors::Lora { down, up, middle, bias } => {
                let mut all = vec![down, up];
                all.extend(middle.iter().chain(bias));
                all
            }
            Factors::Hadamard(first, second) | Factors::Kronecker(first, second) => {
                let mut all = of(first);
                all.extend(of(second));
                all
            }
        };
        all.extend(&self.magnitude);
        all
    }

    /// The change in the precision in which it is kept, apart from what is trained.
    fn stored(&self) -> Result<Self> {
        let half = |x: &Tensor| x.detach().to_dtype(DType::F16);
        let optional = |x: &Option<Tensor>| x.as_ref().map(half).transpose();
        let matrix = |matrix: &Matrix| {
            Ok::<_, candle_core::Error>(match matrix {
                Matrix::Whole(whole) => Matrix::Whole(half(whole)?),
                Matrix::Product(a, b) => Matrix::Product(half(a)?, half(b)?),
                Matrix::Core(a, b, core) => Matrix::Core(half(a)?, half(b)?, half(core)?),
            })
        };
        let factors = match &self.factors {
            Factors::Lora { down, up, middle, bias } => Factors::Lora {
                down: half(down)?,
                up: half(up)?,
                middle: optional(middle)?,
                bias: optional(bias)?,
            },
            Factors::Hadamard(first, second) => Factors::Hadamard(matrix(first)?, matrix(second)?),
            Factors::Kronecker(first, second) => {
                Factors::Kronecker(matrix(first)?, matrix(second)?)
            }
        };
        // A magnitude is a row's whole length: half precision would move weights that hardly learnt.
        let magnitude = self.magnitude.as_ref().map(Tensor::detach);
        Ok(Self { factors, magnitude, ..self.clone() })
    }
}
