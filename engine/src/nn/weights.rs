//! Where layers get their weights: by path, from a file or fresh from a seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use rand::SeedableRng;
use rand::distr::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::delta::{Base, DeltaSlot};
use super::stored::Stored;
use crate::kernel::{Fault, Weight};

/// How a weight starts where no file gives it.
#[derive(Debug, Clone, Copy)]
pub enum Init {
    /// Zero everywhere.
    Zeros,
    /// One everywhere.
    Ones,
    /// Uniform between ±1/√fan-in, as PyTorch starts linear layers and convolutions.
    FanIn(usize),
    /// Normal with this standard deviation.
    Normal(f64),
    /// This everywhere.
    Constant(f64),
}

/// How the layers of a network hold their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WeightForm {
    /// In the number type in which the network computes.
    #[default]
    Full,
    /// Those of linear layers and convolutions in eight bits with a scale for each output; for serving on the CPU.
    Int8,
}

impl WeightForm {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Int8 => "int8",
        }
    }
}

impl std::str::FromStr for WeightForm {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let known = [Self::Full, Self::Int8].into_iter().find(|form| form.name() == text);
        known.ok_or_else(|| "is no form of weights; known are full, int8".to_owned())
    }
}

enum Source {
    File(Stored),
    Seed(u64),
    Tensors(BTreeMap<String, Tensor>),
    /// A file, and a seed for what it lacks.
    Grown(Stored, u64),
}

struct Inner {
    source: Source,
    /// Whether weights are looked at, and zeros handed out in their place.
    dry: bool,
    trainable: bool,
    form: WeightForm,
    dtype: DType,
    device: Device,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    variables: BTreeMap<String, Var>,
    shapes: BTreeMap<String, Vec<usize>>,
    slots: BTreeMap<String, DeltaSlot>,
    faults: Vec<String>,
}

/// The weights of a network, seen from one path. Cheap to clone; every view shares one record of
/// what was taken.
#[derive(Clone)]
pub struct Weights {
    inner: Arc<Inner>,
    path: String,
}

impl Weights {
    fn new(
        source: Source,
        trainable: bool,
        form: WeightForm,
        dtype: DType,
        device: &Device,
    ) -> Self {
        let (dry, device, state) = (false, device.clone(), Mutex::default());
        let inner = Inner { source, dry, trainable, form, dtype, device, state };
        Self { inner: Arc::new(inner), path: String::new() }
    }

    /// Mapped weights that are looked at and not taken: every name, shape and number is checked, and the
    /// network that is built from them is of zeros that need no memory. [`Self::finish`] tells what is
    /// wrong.
    pub fn to_verify(file: impl Into<Stored>) -> Self {
        let inner = Inner {
            source: Source::File(file.into()),
            dry: true,
            trainable: false,
            form: WeightForm::Full,
            dtype: DType::F32,
            device: Device::Cpu,
            state: Mutex::default(),
        };
        Self { inner: Arc::new(inner), path: String::new() }
    }

    /// Weights from mapped files, converted to `dtype` as they are taken; variables where
    /// `trainable`.
    pub fn from_file(
        file: impl Into<Stored>,
        trainable: bool,
        dtype: DType,
        device: &Device,
    ) -> Self {
        Self::new(Source::File(file.into()), trainable, WeightForm::Full, dtype, device)
    }

    /// Weights from mapped files for a network that serves on the CPU: those of linear layers and convolutions in eight
    /// bits, all else in f32.
    pub fn in_int8(file: impl Into<Stored>) -> Self {
        let (form, device) = (WeightForm::Int8, Device::Cpu);
        Self::new(Source::File(file.into()), false, form, DType::F32, &device)
    }

    /// Fresh trainable weights. The same seed and path give the same values, in whatever order
    /// layers ask.
    pub fn from_seed(seed: u64, dtype: DType, device: &Device) -> Self {
        Self::new(Source::Seed(seed), true, WeightForm::Full, dtype, device)
    }

    /// Frozen weights that are in memory already, in `dtype`.
    pub fn from_tensors(tensors: BTreeMap<String, Tensor>, dtype: DType, device: &Device) -> Self {
        Self::new(Source::Tensors(tensors), false, WeightForm::Full, dtype, device)
    }

    /// Trainable weights that start as the file has them, and fresh from `seed` where it has none: a network
    /// that grows out of another. What the file holds beyond is no fault.
    pub fn grown(file: impl Into<Stored>, seed: u64, dtype: DType, device: &Device) -> Self {
        Self::new(Source::Grown(file.into(), seed), true, WeightForm::Full, dtype, device)
    }

    /// The view one step down the path.
    #[must_use]
    pub fn pp(&self, name: impl std::fmt::Display) -> Self {
        let path =
            if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { inner: self.inner.clone(), path }
    }

    /// The full name of `name` seen from here.
    fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number type that weights are taken in.
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// Whether a file gives the weight `name`; fresh weights come from none.
    pub fn holds(&self, name: &str) -> bool {
        match &self.inner.source {
            Source::File(file) | Source::Grown(file, _) => file.holds(&self.full(name)),
            Source::Seed(_) => false,
            Source::Tensors(tensors) => tensors.contains_key(&self.full(name)),
        }
    }

    /// The weight `name` in `shape`.
    ///
    /// A weight that the file lacks, has in another shape or with numbers that are none comes back as
    /// zeros and is reported by [`Self::finish`], so that one error lists them all.
    pub fn get(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Tensor> {
        let (shape, full) = (shape.into(), self.full(name));
        let (dtype, device) = (self.inner.dtype, &self.inner.device);
        let value = match &self.inner.source {
            Source::Seed(seed) => fresh(*seed, &full, &shape, init, device)?.to_dtype(dtype)?,
            Source::Tensors(tensors) => match tensors.get(&full) {
                Some(value) if value.shape() == &shape => {
                    value.to_device(device)?.to_dtype(dtype)?
                }
                Some(value) => bail!("shape of {full}: {:?}, not {shape:?}", value.shape()),
                None => bail!("missing: {full}"),
            },
            Source::Grown(file, seed) if !file.holds(&full) => {
                fresh(*seed, &full, &shape, init, device)?.to_dtype(dtype)?
            }
            Source::File(file) | Source::Grown(file, _) => {
                let fault = match file.shape(&full) {
                    None => Some(format!("missing: {full}")),
                    Some(found) if found != shape.dims() => {
                        Some(format!("shape of {full}: {found:?}, not {:?}", shape.dims()))
                    }
                    Some(_) => file.damage(&full),
                };
                if fault.is_some() || self.inner.dry {
                    let mut state = self.state();
                    state.faults.extend(fault);
                    state.shapes.insert(full, shape.dims().to_vec());
                    // One zero seen everywhere: a configuration that promises what the file does
                    // not hold asks for no memory.
                    return Tensor::zeros((), dtype, device)?.broadcast_as(&shape);
                }
                file.load(&full, device)?.to_dtype(dtype)?
            }
        };
        let mut state = self.state();
        state.shapes.insert(full.clone(), shape.dims().to_vec());
        if !self.inner.trainable {
            return Ok(value);
        }
        let variable = Var::from_tensor(&value)?;
        let tensor = variable.as_tensor().clone();
        state.variables.insert(full, variable);
        Ok(tensor)
    }

    /// The weight of a linear layer or a convolution, as [`Self::get`], in the form in which its kernel reads it.
    pub fn layer(&self, shape: impl Into<Shape>, init: Init) -> Result<Weight> {
        let weight = self.get("weight", shape, init)?;
        match self.inner.form {
            WeightForm::Full => Weight::new(weight),
            WeightForm::Int8 => Weight::int8(weight),
        }
    }

    /// Opens the slot through which an adapter reaches the layer at this path.
    pub fn slot(&self, base: Base) -> DeltaSlot {
        let slot = DeltaSlot::new(base);
        self.state().slots.insert(self.path.clone(), slot.clone());
        slot
    }

    /// The slots of all layers so far, by the path of the layer.
    pub fn slots(&self) -> BTreeMap<String, DeltaSlot> {
        self.state().slots.clone()
    }

    /// The shapes of all weights taken so far, by their full names.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.state().shapes.clone()
    }

    /// The trainable weights so far, by their full names.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        self.state().variables.clone()
    }

    /// Ends loading: fails where a key was missing, had another shape, held NaN or infinity, or was in
    /// the file and not asked for. One error counts them all and names the first of each kind.
    pub fn finish(&self) -> std::result::Result<(), Fault> {
        let mut state = self.state();
        let mut faults = std::mem::take(&mut state.faults);
        if let Source::File(file) = &self.inner.source {
            let unexpected = file
                .names()
                .filter(|name| !state.shapes.contains_key(*name) && !is_counter(name))
                .map(|name| format!("unexpected: {name}"));
            faults.extend(unexpected);
        }
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort();
        let mut counts = Vec::new();
        let mut shown = Vec::new();
        for (kind, words) in KINDS {
            let of_kind: Vec<&String> =
                faults.iter().filter(|fault| fault.starts_with(kind)).collect();
            if !of_kind.is_empty() {
                counts.push(format!("{} {words}", of_kind.len()));
                shown.extend(of_kind.iter().take(MOST_NAMED).map(|fault| fault.as_str()));
            }
            if of_kind.len() > MOST_NAMED {
                shown.push("…");
            }
        }
        let (number, plural) = (faults.len(), if faults.len() == 1 { "" } else { "s" });
        Err(Fault::new(format!(
            "the weights do not fit the network ({number} fault{plural}: {}): {}",
            counts.join(", "),
            shown.join("; ")
        )))
    }
}

/// How a fault of each kind begins, and what it is called where faults are counted.
const KINDS: [(&str, &str); 5] = [
    ("missing", "missing"),
    ("unexpected", "unexpected"),
    ("shape of", "of another shape"),
    ("number type of", "of another number type"),
    ("not finite", "not finite"),
];
/// Faults of one kind that an error names.
const MOST_NAMED: usize = 40;

/// Whether a stored tensor is a table of positions 0, 1, 2 …, which transformers wrote into its files
/// up to version 4.30, and no network learns.
fn is_counter(name: &str) -> bool {
    name == "position_ids" || name.ends_with(".position_ids")
}

fn fresh(seed: u64, name: &str, shape: &Shape, init: Init, device: &Device) -> Result<Tensor> {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    let mut random = ChaCha8Rng::from_seed(hash.finalize().into());
    let count = shape.elem_count();
    let values: Vec<f32> = match init {
        Init::Zeros => vec![0.0; count],
        Init::Ones => vec![1.0; count],
        Init::Constant(value) => vec![value as f32; count],
        Init::FanIn(fan_in) => {
            let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
            let uniform =
                Uniform::new_inclusive(-bound, bound).map_err(candle_core::Error::wrap)?;
            (0..count).map(|_| uniform.sample(&mut random)).collect()
        }
        Init::Normal(deviation) => crate::device::normal(&mut random, count)
            .into_iter()
            .map(|value| value * deviation as f32)
            .collect(),
    };
    Tensor::from_vec(values, shape, device)
}
