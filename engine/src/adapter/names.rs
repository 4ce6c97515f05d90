//! From a key of an adapter's file to the layer that it changes and the part that it is.

use super::kohya;

/// A network of a model that an adapter can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The denoising network.
    Unet,
    /// The text encoder, or SDXL's first.
    TextEncoder,
    /// SDXL's second text encoder.
    TextEncoder2,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unet, Self::TextEncoder, Self::TextEncoder2];

    /// Its folder in a bundle, and its prefix in diffusers' files.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Unet => "unet",
            Self::TextEncoder => "text_encoder",
            Self::TextEncoder2 => "text_encoder_2",
        }
    }
}

/// In which form an adapter stands on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A folder with `adapter_config.json` and `adapter_model.safetensors`.
    Peft,
    /// `pytorch_lora_weights.safetensors`.
    Diffusers,
    /// One file of kohya's sd-scripts or of LyCORIS.
    Kohya,
}

/// A layer of a network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) component: Component,
    /// The path as the file has it, with dots.
    pub(super) path: String,
}

impl Place {
    /// The path in the network: without the prefix that transformers wrote up to version 4, and in
    /// diffusers' names. `None` where no network has it.
    pub(super) fn resolved(&self, layers_per_block: usize) -> Option<String> {
        match self.component {
            Component::Unet if kohya::is_original(&self.path) => {
                kohya::to_diffusers(&self.path, layers_per_block)
            }
            Component::Unet => Some(self.path.clone()),
            Component::TextEncoder | Component::TextEncoder2 => Some(bare(&self.path).to_owned()),
        }
    }
}

/// A text encoder's path without the prefix that transformers wrote up to version 4.
pub(super) fn bare(path: &str) -> &str {
    path.strip_prefix("text_model.").unwrap_or(path)
}

/// What a tensor of an adapter is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parameter {
    Down,
    Up,
    UpBias,
    Middle,
    Alpha,
    Magnitude,
    DoraScale,
    HadamardA1,
    HadamardB1,
    HadamardCore1,
    HadamardA2,
    HadamardB2,
    HadamardCore2,
    Kronecker1,
    KroneckerA1,
    KroneckerB1,
    Kronecker2,
    KroneckerA2,
    KroneckerB2,
    KroneckerCore2,
}

/// How keys end, for what.
const ENDINGS: [(&str, Parameter); 31] = [
    (".lora_A.weight", Parameter::Down),
    (".lora_B.weight", Parameter::Up),
    (".lora_B.bias", Parameter::UpBias),
    (".lora_down.weight", Parameter::Down),
    (".lora_up.weight", Parameter::Up),
    (".lora_up.bias", Parameter::UpBias),
    (".lora_mid.weight", Parameter::Middle),
    (".lora.down.weight", Parameter::Down),
    (".lora.up.weight", Parameter::Up),
    (".lora_linear_layer.down.weight", Parameter::Down),
    (".lora_linear_layer.up.weight", Parameter::Up),
    // diffusers' first form: attention processors that hold the factors.
    ("_lora.down.weight", Parameter::Down),
    ("_lora.up.weight", Parameter::Up),
    (".alpha", Parameter::Alpha),
    (".lora_magnitude_vector", Parameter::Magnitude),
    (".lora_magnitude_vector.weight", Parameter::Magnitude),
    (".dora_scale", Parameter::DoraScale),
    (".hada_w1_a", Parameter::HadamardA1),
    (".hada_w1_b", Parameter::HadamardB1),
    (".hada_t1", Parameter::HadamardCore1),
    (".hada_w2_a", Parameter::HadamardA2),
    (".hada_w2_b", Parameter::HadamardB2),
    (".hada_t2", Parameter::HadamardCore2),
    (".lokr_w1", Parameter::Kronecker1),
    (".lokr_w1_a", Parameter::KroneckerA1),
    (".lokr_w1_b", Parameter::KroneckerB1),
    (".lokr_w2", Parameter::Kronecker2),
    (".lokr_w2_a", Parameter::KroneckerA2),
    (".lokr_w2_b", Parameter::KroneckerB2),
    (".lokr_t2", Parameter::KroneckerCore2),
    (".lokr_t2.weight", Parameter::KroneckerCore2),
];

/// What a key says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) form: Form,
    pub(super) place: Place,
    pub(super) parameter: Parameter,
}

/// Reads a key. `within` is the component where the file's folder says it.
pub(super) fn parse(key: &str, within: Option<Component>) -> Option<Key> {
    // Paths of a network are short; a key is shown in errors.
    if key.len() > 1000 {
        return None;
    }
    let (layer, parameter) = ENDINGS
        .iter()
        .find_map(|(ending, parameter)| Some((key.strip_suffix(ending)?, *parameter)))?;
    let kohya = [
        ("lora_unet_", Component::Unet),
        ("lora_te_", Component::TextEncoder),
        ("lora_te1_", Component::TextEncoder),
        ("lora_te2_", Component::TextEncoder2),
    ];
    for (prefix, component) in kohya {
        if let Some(flat) = layer.strip_prefix(prefix) {
            let place = Place { component, path: kohya::with_dots(flat) };
            return Some(Key { form: Form::Kohya, place, parameter });
        }
    }
    let (form, layer, named) = match layer.strip_prefix("base_model.model.") {
        Some(layer) => (Form::Peft, layer, None),
        None => named(layer),
    };
    let component = within.or(named).unwrap_or(if is_text(layer) {
        Component::TextEncoder
    } else {
        Component::Unet
    });
    let path = attention(&layer.replace(".processor.", "."), component);
    (!path.is_empty()).then_some(Key { form, place: Place { component, path }, parameter })
}

/// The component whose prefix diffusers' key has.
fn named(layer: &str) -> (Form, &str, Option<Component>) {
    for component in Component::ALL {
        let rest = layer.strip_prefix(component.folder()).and_then(|rest| rest.strip_prefix('.'));
        if let Some(rest) = rest {
            return (Form::Diffusers, rest, Some(component));
        }
    }
    (Form::Diffusers, layer, None)
}

fn is_text(layer: &str) -> bool {
    ["text_model.", "encoder.layers.", "text_projection"]
        .iter()
        .any(|beginning| layer.starts_with(beginning))
}

/// The path under which the projections of an attention stand, whose names diffusers' first forms
/// shorten, and in text encoders take from the UNet.
fn attention(path: &str, component: Component) -> String {
    let renamed = |ends: &[(&str, &str)]| {
        ends.iter().find_map(|(old, new)| Some(format!("{}{new}", path.strip_suffix(old)?)))
    };
    match component {
        Component::Unet => renamed(&[(".to_out", ".to_out.0")]),
        Component::TextEncoder | Component::TextEncoder2 => renamed(&[
            (".to_q", ".q_proj"),
            (".to_k", ".k_proj"),
            (".to_v", ".v_proj"),
            (".to_out", ".out_proj"),
        ]),
    }
    .unwrap_or_else(|| path.to_owned())
}
