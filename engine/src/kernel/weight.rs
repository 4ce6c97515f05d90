//! A layer's weight in the form that its kernel reads.

use std::any::Any;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, bail};

use super::int8::Int8;
use super::isa::Isa;
use super::panels::{Panels, Split, Turned};
use super::tile::Element;
use super::tile::int8::Form as IntForm;
use super::view::{element, with_element, with_slice};

/// A weight `[out, in]` or `[out, in, kernel, kernel]`. One that nobody trains is packed once on the CPU, in the
/// order in which tiles read it, and the tensor that it came from can go. Cheap to clone.
#[derive(Clone)]
pub struct Weight(Form);

/// What a kernel reads.
#[derive(Clone)]
pub(super) enum Form {
    /// The tensor.
    Open(Tensor),
    /// Its numbers, packed.
    Packed(Arc<Packed>),
    /// Its numbers in eight bits.
    Int8(Arc<Int8>),
}

/// Channels below which a weight is not held in eight bits: those between a network and the latent hold next to nothing,
/// and what they round is seen at once.
const NARROW: usize = 16;

/// A packed weight.
pub(super) struct Packed {
    dims: Vec<usize>,
    dtype: DType,
    /// [`Panels`] of the weight's numbers, `[in × kernel × kernel, out]`, the taps of the kernel outermost.
    forward: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Weight {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Weight({:?}, {:?})", self.dims(), self.dtype())
    }
}

impl Weight {
    /// `weight`, packed where the CPU's kernels apply and no gradient will be asked of it.
    ///
    /// # Errors
    /// Where the weight cannot be read.
    pub fn new(weight: Tensor) -> Result<Self> {
        let Some(dtype) = packable(&weight) else { return Ok(Self(Form::Open(weight))) };
        with_element!(dtype, E => Ok(Self(Form::Packed(Arc::new(Packed {
            dims: weight.dims().to_vec(),
            dtype,
            forward: Box::new(with_slice::<E, _>(&weight, |values| {
                Ok(forward_panels(values, weight.dims()))
            })?),
        })))))
    }

    /// `weight` in eight bits with a scale for each output, for layers that serve and are not trained; narrow ones are
    /// packed as they are. [`Self::tensor`] gives what is left of it.
    ///
    /// # Errors
    /// Where the weight is trained or lies on a GPU, or cannot be read.
    pub fn int8(weight: Tensor) -> Result<Self> {
        if !weight.device().is_cpu() {
            bail!("weights of eight bits are for the CPU alone");
        }
        if weight.is_variable() || weight.track_op() {
            bail!("weights of eight bits are not trained");
        }
        if weight.dtype() != DType::F32 {
            bail!("weights of eight bits are made of f32, not of {:?}", weight.dtype());
        }
        let narrow = weight.dims().iter().take(2).any(|channels| *channels < NARROW);
        if narrow || packable(&weight).is_none() {
            return Self::new(weight);
        }
        with_slice(&weight, |values| {
            let int8 = Int8::new(values, weight.dims(), IntForm::of(Isa::best()));
            Ok(Self(Form::Int8(Arc::new(int8))))
        })
    }

    /// The shape.
    pub fn dims(&self) -> &[usize] {
        match &self.0 {
            Form::Open(weight) => weight.dims(),
            Form::Packed(packed) => &packed.dims,
            Form::Int8(weight) => weight.dims(),
        }
    }

    /// The number type of what it multiplies.
    pub fn dtype(&self) -> DType {
        match &self.0 {
            Form::Open(weight) => weight.dtype(),
            Form::Packed(packed) => packed.dtype,
            Form::Int8(_) => DType::F32,
        }
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        match &self.0 {
            Form::Open(weight) => weight.device(),
            Form::Packed(_) | Form::Int8(_) => &Device::Cpu,
        }
    }

    /// The weight as it was given, bit by bit; written out anew where it is packed, and rounded where it is held in eight
    /// bits.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn tensor(&self) -> Result<Tensor> {
        match &self.0 {
            Form::Open(weight) => Ok(weight.clone()),
            Form::Packed(packed) => with_element!(packed.dtype, E => packed.unpack::<E>()),
            Form::Int8(weight) => weight.tensor(),
        }
    }

    /// The same in another number type; itself where it has it.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        if self.dtype() == dtype {
            Ok(self.clone())
        } else {
            Self::new(self.tensor()?.to_dtype(dtype)?)
        }
    }

    /// What a kernel reads.
    pub(super) fn form(&self) -> &Form {
        &self.0
    }
}

impl Packed {
    pub(super) fn dims(&self) -> &[usize] {
        &self.dims
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(super) fn forward<E: Element>(&self) -> Result<&Panels<E>> {
        let Some(panels) = self.forward.downcast_ref() else {
            bail!("a weight of {:?} was packed, and the input is {:?}", self.dtype, E::DTYPE)
        };
        Ok(panels)
    }

    /// As [`backward_panels`].
    pub(super) fn backward<E: Element>(&self) -> Result<Turned<'_, E>> {
        Ok(Turned::new(self.forward()?, self.taps()))
    }

    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        sizes(&self.dims).2
    }

    fn unpack<E: Element>(&self) -> Result<Tensor> {
        let forward = self.forward::<E>()?;
        let (output, input, taps) = sizes(&self.dims);
        let mut values = Vec::with_capacity(output * input * taps);
        for out in 0..output {
            for channel in 0..input {
                values.extend((0..taps).map(|tap| forward.get(out, tap * input + channel)));
            }
        }
        Tensor::from_vec(values, &self.dims[..], &Device::Cpu)
    }
}

/// The number type of a weight that can be packed.
fn packable(weight: &Tensor) -> Option<DType> {
    let square = match *weight.dims() {
        [_, _] => true,
        [_, _, height, width] => height == width,
        _ => false,
    };
    // One number seen everywhere stands for a weight that was only looked at.
    let whole = weight.is_contiguous() && weight.elem_count() > 0;
    let frozen = !weight.is_variable() && !weight.track_op();
    element(&[weight]).filter(|_| square && whole && frozen)
}

/// Outputs, inputs, and taps of the kernel.
pub(super) fn sizes(dims: &[usize]) -> (usize, usize, usize) {
    (dims[0], dims[1], dims[2..].iter().product())
}

/// The panels of a weight `[out, in, taps]` as a product with patches wants it: `[taps × in, out]`.
pub(super) fn forward_panels<E: Element>(weight: &[E], dims: &[usize]) -> Panels<E> {
    let (output, input, taps) = sizes(dims);
    if taps == 1 {
        return Panels::of_rows(weight, output, input);
    }
    Panels::new(Split::Even, output, taps * input, |out, k| {
        weight[(out * input + k % input) * taps + k / input]
    })
}

/// The panels of a weight as the product for the input's gradient wants it: `[taps × out, in]`, with the
/// kernel turned by half a turn.
pub(super) fn backward_panels<E: Element>(weight: &[E], dims: &[usize]) -> Panels<E> {
    let (output, input, taps) = sizes(dims);
    if taps == 1 {
        return Panels::of_columns(weight, input, output);
    }
    Panels::new(Split::Even, input, taps * output, |channel, k| {
        weight[((k % output) * input + channel) * taps + taps - 1 - k / output]
    })
}
