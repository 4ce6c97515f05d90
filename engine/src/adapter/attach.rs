//! Adapters on a model: beside its weights, or merged into copies of them. The base is never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use super::change::{Change, Factors};
use super::error::AdapterError;
use super::names::{Component, bare};
use super::read::{Adapter, list};
use crate::kernel::{self, Convolution, Weight};
use crate::nn::{Base, Delta, DeltaSlot, Operation, Weights};

/// The networks of a model that adapters can change.
#[derive(Clone, Copy)]
pub struct Networks<'a> {
    /// The denoising network.
    pub unet: &'a Weights,
    /// The text encoder, or SDXL's first.
    pub text_encoder: Option<&'a Weights>,
    /// SDXL's second text encoder.
    pub text_encoder_2: Option<&'a Weights>,
}

impl<'a> Networks<'a> {
    /// A UNet alone.
    pub fn unet(unet: &'a Weights) -> Self {
        Self { unet, text_encoder: None, text_encoder_2: None }
    }

    pub(super) fn get(&self, component: Component) -> Option<&'a Weights> {
        match component {
            Component::Unet => Some(self.unet),
            Component::TextEncoder => self.text_encoder,
            Component::TextEncoder2 => self.text_encoder_2,
        }
    }

    /// The slots of a network by their paths; none where the model has no such network.
    pub(super) fn slots(&self, component: Component) -> BTreeMap<String, DeltaSlot> {
        let slots = self.get(component).map(Weights::slots).unwrap_or_default();
        slots.into_iter().map(|(path, slot)| (bare(&path).to_owned(), slot)).collect()
    }
}

/// Residual blocks of a level on the way down, which the original code's names count by.
fn layers_per_block(slots: &BTreeMap<String, DeltaSlot>) -> usize {
    let layers: BTreeSet<&str> = slots
        .keys()
        .filter_map(|path| path.strip_prefix("down_blocks.0.resnets.")?.split('.').next())
        .collect();
    layers.len().max(1)
}

/// Changes of one network's layers, by their paths in it.
pub(super) type Fitted<'a> = BTreeMap<String, &'a Change>;

impl Adapter {
    /// Whether the adapter is one of this model: by the hash of the base where its card names one, and
    /// always by names and shapes.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] with the layers that differ, and both shapes.
    pub fn check(
        &self,
        networks: &Networks,
        base_sha256: &str,
    ) -> std::result::Result<(), AdapterError> {
        if let Some(card) = &self.card {
            card.check_base(&self.path, base_sha256)?;
        }
        for component in Component::ALL {
            self.fit(component, &networks.slots(component))?;
        }
        Ok(())
    }

    pub(super) fn fit(
        &self,
        component: Component,
        slots: &BTreeMap<String, DeltaSlot>,
    ) -> std::result::Result<Fitted<'_>, AdapterError> {
        let layers_per_block = layers_per_block(slots);
        let (mut fitted, mut faults) = (Fitted::new(), Vec::new());
        for (place, change) in self.layers.iter().filter(|(place, _)| place.component == component)
        {
            let name = format!("{} {}", component.folder(), place.path);
            let found = place
                .resolved(layers_per_block)
                .and_then(|path| slots.get(&path).map(|slot| (path, slot)));
            let Some((path, slot)) = found else {
                faults.push(format!("the model has no {name}"));
                continue;
            };
            if let Err(cause) = change.check(slot.base().weight.dims()) {
                faults.push(format!("{name}: {cause}"));
            } else if fitted.insert(path, change).is_some() {
                faults.push(format!("{name}: changed twice"));
            }
        }
        // Foreign configurations may name ends that match more than was trained; ours do not.
        if let (Some(_), Some(config)) = (&self.card, self.configs.get(&component)) {
            let linear =
                slots.iter().filter(|(_, slot)| slot.base().operation == Operation::Linear);
            for (path, _) in linear {
                if config.targets(path) == Some(true) && !fitted.contains_key(path) {
                    faults.push(format!("missing: {} {path}", component.folder()));
                }
            }
        }
        if faults.is_empty() {
            return Ok(fitted);
        }
        Err(wrong_base(&self.path, &faults))
    }
}

fn wrong_base(path: &Path, faults: &[String]) -> AdapterError {
    let cause = format!("is for another base, {}", list(faults));
    AdapterError::WrongBase { path: path.to_owned(), cause }
}

/// Puts `adapters`, each with its scale (0 is nothing, 1 as trained), on a model, in place of all that
/// acted before; none leave the base alone, bit by bit.
///
/// Beside the base, a change of low rank costs two thin products a layer, and no memory; what has no
/// such form (DoRA, LoHa, LoKr) acts by a changed copy of its layer's weight. `merged` makes that copy
/// for every layer, so that the model runs as fast as without adapters.
///
/// # Errors
/// [`AdapterError::WrongBase`] where a layer does not fit. The model is then as it was.
pub fn attach(
    networks: &Networks,
    adapters: &[(&Adapter, f32)],
    merged: bool,
) -> std::result::Result<(), AdapterError> {
    let mut plans = Vec::new();
    for component in Component::ALL {
        let slots = networks.slots(component);
        let fitted = adapters
            .iter()
            .map(|(adapter, scale)| Ok((adapter.fit(component, &slots)?, f64::from(*scale))))
            .collect::<std::result::Result<Vec<_>, AdapterError>>()?;
        for (path, slot) in slots {
            let changes: Vec<(&Change, f64)> = fitted
                .iter()
                .filter(|(_, scale)| *scale != 0.0)
                .filter_map(|(layers, scale)| Some((*layers.get(&path)?, *scale)))
                .collect();
            let plan = Plan::new(slot.base(), &changes, merged)?;
            if !plan.is_finite()? {
                let cause =
                    format!("{} {path}: makes a weight that is no number", component.folder());
                return Err(AdapterError::Config { field: "adapters", cause });
            }
            plans.push((slot, plan));
        }
    }
    for (slot, plan) in plans {
        match plan {
            Plan::Beside(deltas) => slot.fill(deltas),
            Plan::Instead(weight, bias) => slot.replace(weight, bias)?,
        }
    }
    Ok(())
}

/// What will stand in a slot.
enum Plan {
    Beside(Vec<Arc<dyn Delta>>),
    Instead(Tensor, Option<Tensor>),
}

impl Plan {
    fn new(base: &Base, changes: &[(&Change, f64)], merged: bool) -> Result<Self> {
        if !merged || changes.is_empty() {
            let deltas = changes
                .iter()
                .map(|(change, scale)| low_rank(base, change, *scale))
                .collect::<Result<Option<Vec<_>>>>()?;
            if let Some(deltas) = deltas {
                return Ok(Self::Beside(deltas));
            }
        }
        let dtype = base.weight.dtype();
        let original = base.weight.tensor()?.to_dtype(DType::F32)?;
        let (mut weight, mut bias) = (original.clone(), base.bias.clone());
        for (change, scale) in changes {
            weight = change.apply(&weight, &original, *scale)?;
            if let Factors::Lora { bias: Some(more), .. } = &change.factors {
                let more = (more.to_dtype(dtype)? * (scale * change.scale()))?;
                bias = Some(match bias {
                    Some(bias) => (bias + more)?,
                    None => more,
                });
            }
        }
        Ok(Self::Instead(weight.to_dtype(dtype)?.contiguous()?, bias))
    }

    fn is_finite(&self) -> Result<bool> {
        match self {
            Self::Beside(_) => Ok(true),
            Self::Instead(weight, _) => {
                let sum = (weight.to_dtype(DType::F32)? * 0.0)?.sum_all()?;
                Ok(sum.to_scalar::<f32>()?.is_finite())
            }
        }
    }
}

/// The delta of a change of plain low rank; `None` for any other.
pub(super) fn low_rank(base: &Base, change: &Change, scale: f64) -> Result<Option<Arc<dyn Delta>>> {
    let Some((down, up)) = change.low_rank(base.weight.dims())? else {
        return Ok(None);
    };
    let dtype = base.weight.dtype();
    // What is trained moves in its own number type; a copy in the base's would stay behind.
    let held = |x: Tensor| Weight::new(if x.track_op() { x } else { x.to_dtype(dtype)? });
    let (down, up) = (held(down)?, held(up)?);
    let scale = scale * change.scale();
    Ok(Some(match base.operation {
        Operation::Linear => Arc::new(LinearDelta { down, up, scale }),
        Operation::Convolution(convolution) => {
            Arc::new(ConvolutionDelta { down, up, scale, convolution })
        }
    }))
}

struct LinearDelta {
    /// `[r, in]`
    down: Weight,
    /// `[out, r]`
    up: Weight,
    scale: f64,
}

impl Delta for LinearDelta {
    /// `[…, in]` to `[…, out]`: scale · x downᵀ upᵀ.
    fn forward(&self, x: &Tensor, _y: &Tensor) -> Result<Tensor> {
        let (down, up) = (self.down.to_dtype(x.dtype())?, self.up.to_dtype(x.dtype())?);
        kernel::linear(&(kernel::linear(x, &down, None)? * self.scale)?, &up, None)
    }
}

struct ConvolutionDelta {
    /// `[r, in, k, k]`
    down: Weight,
    /// `[out, r, 1, 1]`
    up: Weight,
    scale: f64,
    convolution: Convolution,
}

impl Delta for ConvolutionDelta {
    /// `[batch, h, w, in]` to `[batch, h', w', out]`.
    fn forward(&self, x: &Tensor, _y: &Tensor) -> Result<Tensor> {
        let (down, up) = (self.down.to_dtype(x.dtype())?, self.up.to_dtype(x.dtype())?);
        let y = (kernel::conv2d(x, &down, None, self.convolution)? * self.scale)?;
        kernel::conv2d(&y, &up, None, Convolution { stride: 1, padding: 0 })
    }
}
