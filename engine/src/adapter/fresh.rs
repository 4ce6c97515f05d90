//! Fresh adapters: which layers change, at what rank, and how their factors start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use candle_core::{DType, Device, Var};
use serde::{Deserialize, Serialize};

use super::attach::Networks;
use super::change::{Change, Factors, Matrix};
use super::config::{Patterns, PeftConfig, ends_in};
use super::dora::Norms;
use super::error::AdapterError;
use super::names::{Component, Form, Place, bare};
use super::read::Adapter;
use crate::nn::{Base, DeltaSlot, Init, Weights};

/// PEFT's prefix of every key.
pub(super) const PREFIX: &str = "base_model.model.";
/// Endings that an error lists, at most.
const MOST_NAMED: usize = 60;

/// How a layer's change is put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A product of two thin factors (Hu et al., arXiv 2106.09685).
    #[default]
    Lora,
    /// The same, and the length of every row of the changed weight (Liu et al., arXiv 2402.09353).
    Dora,
    /// The Hadamard product of two such products (Hyeon-Woo et al., arXiv 2108.06098; LyCORIS, Yeh et
    /// al., arXiv 2309.14859).
    Loha,
    /// The Kronecker product of a small matrix and a larger one (LyCORIS, arXiv 2309.14859).
    Lokr,
}

impl Method {
    /// Its name, as cards have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lora => "lora",
            Self::Dora => "dora",
            Self::Loha => "loha",
            Self::Lokr => "lokr",
        }
    }

    /// Its name in PEFT's configuration.
    fn peft_type(self) -> &'static str {
        match self {
            Self::Lora | Self::Dora => "LORA",
            Self::Loha => "LOHA",
            Self::Lokr => "LOKR",
        }
    }
}

/// What an adapter is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// How changes are put together.
    pub method: Method,
    /// Rank where no pattern says otherwise.
    pub rank: usize,
    /// The change is scaled by α / rank.
    pub alpha: f64,
    /// Ranks by patterns of paths, as in PEFT: a path, or its end from some step on.
    pub rank_pattern: Patterns<usize>,
    /// α by patterns of paths.
    pub alpha_pattern: Patterns<f64>,
    /// The change is scaled by α / √rank (Kalajdzievski, arXiv 2312.03732), for LoRA and DoRA.
    pub rank_stabilised: bool,
    /// Ends of the paths of the adapted layers, linear ones and convolutions, by network.
    pub targets: BTreeMap<Component, Vec<String>>,
    /// For LoKr, the longest side of the small matrix; absent, as square as the layer allows.
    pub decompose_factor: Option<usize>,
    /// For LoKr, whether the small matrix is a product of two as well.
    pub decompose_both: bool,
}

/// A layer that an adapter changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdaptedLayer {
    /// Its network.
    pub component: Component,
    /// Its path there.
    pub path: String,
    /// Columns of its weight: inputs times taps of the kernel.
    pub inputs: usize,
    /// Rows of its weight.
    pub outputs: usize,
    /// The rank of its change.
    pub rank: usize,
}

impl AdaptedLayer {
    /// The path as patterns are held against it.
    pub fn pattern(&self) -> &str {
        bare(&self.path)
    }

    /// The names of the factors down and up of a change of low rank, among an adapter's trainable weights.
    pub fn factor_names(&self) -> (String, String) {
        let name = weight_name(self.component, &self.path);
        (format!("{name}.lora_A.weight"), format!("{name}.lora_B.weight"))
    }
}

/// Where a layer's trainable weights have their names: UNets alone had adapters first, and their runs go on.
fn weight_name(component: Component, path: &str) -> String {
    match component {
        Component::Unet => format!("{PREFIX}{path}"),
        text => format!("{}.{PREFIX}{path}", text.folder()),
    }
}

/// A layer that will be adapted.
struct Layer {
    component: Component,
    path: String,
    base: Base,
}

impl AdapterConfig {
    /// LoRA of the UNet's layers whose paths end in one of `targets`.
    pub fn lora(rank: usize, alpha: f64, targets: &[&str]) -> Self {
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        Self {
            method: Method::Lora,
            rank,
            alpha,
            rank_pattern: Patterns::default(),
            alpha_pattern: Patterns::default(),
            rank_stabilised: false,
            targets: [(Component::Unet, targets)].into(),
            decompose_factor: None,
            decompose_both: false,
        }
    }

    /// A fresh adapter that changes nothing, and its trainable weights by name. The adapter's factors
    /// are these weights: what moves them, moves it.
    ///
    /// # Errors
    /// Where a target or a pattern is no end of a layer's path, or a rank is above a layer's size.
    pub fn fresh(
        &self,
        networks: &Networks,
        seed: u64,
        device: &Device,
    ) -> Result<(Adapter, BTreeMap<String, Var>), AdapterError> {
        let chosen = self.chosen(networks)?;
        let weights = Weights::from_seed(seed, DType::F32, device);
        let mut layers = BTreeMap::new();
        for Layer { component, path, base } in chosen {
            let rank = self.rank_of(&path, &base)?;
            let name = weight_name(component, &path);
            let factors = self.factors(&base, rank, &weights.pp(&name))?;
            let mut change = Change {
                factors,
                alpha: Some(self.alpha_of(&path)),
                rank: Some(rank),
                rank_stabilised: self.rank_stabilised,
                magnitude: None,
                lycoris_magnitude: false,
            };
            if self.method == Method::Dora {
                let start = Norms::new(&base, &change)?.of()?;
                let weights = weights.pp(&name);
                let magnitude =
                    weights.get("lora_magnitude_vector", start.shape().clone(), Init::Ones)?;
                if let Some(variable) =
                    weights.variables().get(&format!("{name}.lora_magnitude_vector"))
                {
                    variable.set(&start)?;
                }
                change.magnitude = Some(magnitude);
            }
            layers.insert(Place { component, path }, change);
        }
        let adapter = Adapter {
            path: PathBuf::new(),
            name: String::new(),
            form: Form::Peft,
            sha256: String::new(),
            card: None,
            configs: self.targets.keys().map(|of| (*of, self.peft(*of))).collect(),
            layers,
        };
        Ok((adapter, weights.variables()))
    }

    /// The layers of `networks` that are adapted.
    ///
    /// # Errors
    /// As [`Self::fresh`].
    pub fn layers(&self, networks: &Networks) -> Result<Vec<AdaptedLayer>, AdapterError> {
        let layers = self.chosen(networks)?.into_iter().map(|Layer { component, path, base }| {
            let (outputs, inputs) = sides(&base);
            let rank = self.rank_of(&path, &base)?;
            Ok(AdaptedLayer { component, path, inputs, outputs, rank })
        });
        layers.collect()
    }

    fn chosen(&self, networks: &Networks) -> Result<Vec<Layer>, AdapterError> {
        let mut chosen = Vec::new();
        for (component, targets) in &self.targets {
            self.peft(*component).validate()?;
            let slots = networks.get(*component).map(Weights::slots).unwrap_or_default();
            for target in targets {
                if !slots.keys().any(|path| ends_in(path, target)) {
                    return Err(no_such_end(*component, target, &slots));
                }
            }
            chosen.extend(
                slots
                    .into_iter()
                    .filter(|(path, _)| targets.iter().any(|target| ends_in(path, target)))
                    .map(|(path, slot)| Layer {
                        component: *component,
                        path,
                        base: slot.base().clone(),
                    }),
            );
        }
        if chosen.is_empty() {
            let cause = "no layer is named".to_owned();
            return Err(AdapterError::Config { field: "targets", cause });
        }
        let paths = || chosen.iter().map(|layer| bare(&layer.path));
        let unmatched = [
            ("rank_pattern", self.rank_pattern.unmatched(paths)),
            ("alpha_pattern", self.alpha_pattern.unmatched(paths)),
        ];
        for (field, pattern) in unmatched {
            if let Some(pattern) = pattern {
                let cause = format!("{pattern:?} is the path, or its end, of no adapted layer");
                return Err(AdapterError::Config { field, cause });
            }
        }
        Ok(chosen)
    }

    fn rank_of(&self, path: &str, base: &Base) -> Result<usize, AdapterError> {
        let rank = self.rank_pattern.get(bare(path)).unwrap_or(self.rank);
        let (output, input) = sides(base);
        let most = output.min(input);
        if (1..=most).contains(&rank) {
            return Ok(rank);
        }
        let cause = format!("{rank} does not lie between 1 and {most}, the size of {path}");
        Err(AdapterError::Config { field: "rank", cause })
    }

    /// α of the layer at `path`.
    pub(super) fn alpha_of(&self, path: &str) -> f64 {
        self.alpha_pattern.get(bare(path)).unwrap_or(self.alpha)
    }

    /// The factors of a layer as PEFT starts them: one is zero, so that the product is; the others are
    /// Kaiming uniform with a = √5, which is uniform in ±1/√fan-in.
    fn factors(
        &self,
        base: &Base,
        rank: usize,
        weights: &Weights,
    ) -> Result<Factors, AdapterError> {
        let dims = base.weight.dims();
        let (output, input) = sides(base);
        Ok(match self.method {
            Method::Lora | Method::Dora => {
                let mut shapes = (dims.to_vec(), vec![1; dims.len()]);
                shapes.0[0] = rank;
                (shapes.1[0], shapes.1[1]) = (output, rank);
                let down = weights.pp("lora_A").get("weight", shapes.0, Init::FanIn(input))?;
                let up = weights.pp("lora_B").get("weight", shapes.1, Init::Zeros)?;
                Factors::Lora { down, up, middle: None, bias: None }
            }
            Method::Loha => {
                let pair = |name: &str, last| -> Result<Matrix, AdapterError> {
                    Ok(Matrix::Product(
                        weights.get(&format!("{name}_a"), (output, rank), Init::FanIn(rank))?,
                        weights.get(&format!("{name}_b"), (rank, input), last)?,
                    ))
                };
                Factors::Hadamard(
                    pair("hada_w1", Init::FanIn(input))?,
                    pair("hada_w2", Init::Zeros)?,
                )
            }
            Method::Lokr => {
                let most = self.decompose_factor.unwrap_or(usize::MAX);
                let ((a, b), (c, d)) = (divided(dims[0], most), divided(dims[1], most));
                let taps: usize = dims[2..].iter().product();
                let first = if self.decompose_both && 2 * rank < a.max(c) {
                    Matrix::Product(
                        weights.get("lokr_w1_a", (a, rank), Init::Zeros)?,
                        weights.get("lokr_w1_b", (rank, c), Init::FanIn(c))?,
                    )
                } else {
                    Matrix::Whole(weights.get("lokr_w1", (a, c), Init::Zeros)?)
                };
                let second = if 2 * rank < b.max(d) {
                    Matrix::Product(
                        weights.get("lokr_w2_a", (b, rank), Init::FanIn(rank))?,
                        weights.get("lokr_w2_b", (rank, d * taps), Init::FanIn(d * taps))?,
                    )
                } else {
                    let mut shape = dims.to_vec();
                    (shape[0], shape[1]) = (b, d);
                    Matrix::Whole(weights.get("lokr_w2", shape, Init::FanIn(d * taps))?)
                };
                Factors::Kronecker(first, second)
            }
        })
    }

    /// PEFT's configuration of the adapter of one network.
    pub(super) fn peft(&self, component: Component) -> PeftConfig {
        let (lora, own) = match self.method {
            Method::Lora | Method::Dora => (Some(self.alpha), None),
            Method::Loha | Method::Lokr => (None, Some(self.alpha)),
        };
        let mut other = serde_json::Map::new();
        if self.method == Method::Lokr {
            // PEFT cuts the layers by these when it reads the factors, and says −1 for no limit.
            let factor = self.decompose_factor.map_or_else(|| (-1).into(), Into::into);
            other.insert("decompose_factor".into(), factor);
            other.insert("decompose_both".into(), self.decompose_both.into());
        }
        PeftConfig {
            peft_type: self.method.peft_type().to_owned(),
            r: self.rank,
            lora_alpha: lora,
            alpha: own,
            target_modules: self.targets.get(&component).cloned().unwrap_or_default().into(),
            rank_pattern: self.rank_pattern.clone(),
            alpha_pattern: self.alpha_pattern.clone(),
            use_rslora: self.rank_stabilised,
            use_dora: self.method == Method::Dora,
            lora_bias: false,
            other,
        }
    }
}

/// Rows of a layer's weight, and its columns with the taps of its kernel.
fn sides(base: &Base) -> (usize, usize) {
    let dims = base.weight.dims();
    (dims[0], dims[1..].iter().product())
}

/// `size` as a product of two, the first at most the second and at most `most`, and as near to it as
/// the divisors allow: LyCORIS's rule.
fn divided(size: usize, most: usize) -> (usize, usize) {
    let first = (1..=size.isqrt().min(most).max(1)).rev().find(|first| size.is_multiple_of(*first));
    let first = first.unwrap_or(1);
    (first, size / first)
}

fn no_such_end(
    component: Component,
    target: &str,
    slots: &BTreeMap<String, DeltaSlot>,
) -> AdapterError {
    let network = component.folder();
    let ends: BTreeSet<&str> = slots.keys().map(|path| end(path)).collect();
    let more = if ends.len() > MOST_NAMED { " …" } else { "" };
    let shown: Vec<&str> = ends.into_iter().take(MOST_NAMED).collect();
    let cause = if shown.is_empty() {
        format!("the model has no {network} that an adapter could change")
    } else {
        format!(
            "no layer of the {network} ends in {target}; they end in {}{more}",
            shown.join(", ")
        )
    };
    AdapterError::Config { field: "targets", cause }
}

/// The last step of a path, and those before it while it is a number.
fn end(path: &str) -> &str {
    let mut begin = path.len();
    while let Some(dot) = path[..begin].rfind('.') {
        let step = &path[dot + 1..begin];
        begin = dot;
        if !step.bytes().all(|byte| byte.is_ascii_digit()) {
            return &path[dot + 1..];
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_divided_as_lycoris_divides_it() {
        // peft.tuners.lokr.layer.factorization of the same numbers.
        let cases = [
            (128, usize::MAX, (8, 16)),
            (250, usize::MAX, (10, 25)),
            (512, 8, (8, 64)),
            (360, 4, (4, 90)),
            (360, 7, (6, 60)),
            (48, 5, (4, 12)),
            (127, usize::MAX, (1, 127)),
            (1, usize::MAX, (1, 1)),
        ];
        for (size, most, expected) in cases {
            assert_eq!(divided(size, most), expected, "{size} {most}");
        }
    }

    #[test]
    fn a_path_ends_in_its_last_word() {
        assert_eq!(
            end("down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0"),
            "to_out.0"
        );
        assert_eq!(end("encoder.layers.0.mlp.fc1"), "fc1");
        assert_eq!(end("conv_in"), "conv_in");
    }
}
