//! PEFT's configuration of an adapter: `adapter_config.json`, and the same inside diffusers' files.

use std::marker::PhantomData;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::error::AdapterError;

/// Values by patterns of paths, in the order in which they stand: the first that matches counts. A pattern
/// is a path or its end from some step on, with `.*` for any letters, `^` for the path's beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns<T>(pub Vec<(String, T)>);

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Patterns<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Copy> Patterns<T> {
    pub(super) fn get(&self, path: &str) -> Option<T> {
        self.0.iter().find(|(pattern, _)| matches(pattern, path)).map(|(_, value)| *value)
    }

    /// The first pattern that matches none of `paths`.
    pub(super) fn unmatched<'a, P: Iterator<Item = &'a str>>(
        &self,
        paths: impl Fn() -> P,
    ) -> Option<&str> {
        let idle = |pattern: &str| !paths().any(|path| matches(pattern, path));
        self.0.iter().map(|(pattern, _)| pattern.as_str()).find(|pattern| idle(pattern))
    }
}

impl<T: Serialize> Serialize for Patterns<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(pattern, value)| (pattern, value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patterns<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Patterns<T>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("values by patterns")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Patterns::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Patterns(pairs))
            }
        }
        deserializer.deserialize_any(Pairs(PhantomData))
    }
}

/// What an adapter's configuration says of its layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PeftConfig {
    /// PEFT's name of the method; diffusers' files leave it out.
    #[serde(default = "lora")]
    pub(super) peft_type: String,
    /// Rank.
    #[serde(default = "usual_rank")]
    pub(super) r: usize,
    /// α of LoRA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lora_alpha: Option<f64>,
    /// α of LoHa and LoKr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alpha: Option<f64>,
    /// Ends of the paths of the adapted layers, or an expression.
    #[serde(default)]
    pub(super) target_modules: Value,
    /// Ranks of layers that differ.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub(super) rank_pattern: Patterns<usize>,
    /// α of layers that differ.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub(super) alpha_pattern: Patterns<f64>,
    /// α is divided by √rank.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) use_rslora: bool,
    /// Rows have magnitudes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) use_dora: bool,
    /// The factor up has a bias.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) lora_bias: bool,
    /// What else the program that wrote it says, kept for when it is written again.
    #[serde(flatten)]
    pub(super) other: serde_json::Map<String, Value>,
}

fn lora() -> String {
    "LORA".into()
}

fn usual_rank() -> usize {
    8
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl PeftConfig {
    /// # Errors
    /// Where the values make no change that is known.
    pub(super) fn validate(&self) -> Result<(), AdapterError> {
        let fault = |field, cause: String| Err(AdapterError::Config { field, cause });
        if !["LORA", "LOHA", "LOKR"].contains(&self.peft_type.as_str()) {
            return fault("peft_type", "must be LORA, LOHA or LOKR".into());
        }
        for rank in std::iter::once(&self.r).chain(self.rank_pattern.0.iter().map(|(_, r)| r)) {
            if *rank == 0 {
                return fault("r", "must lie above 0".into());
            }
        }
        let alphas = self.alpha_pattern.0.iter().map(|(_, alpha)| alpha);
        if alphas.chain(&self.lora_alpha).chain(&self.alpha).any(|alpha| !alpha.is_finite()) {
            return fault("lora_alpha", "must be a number".into());
        }
        let patterns = self.rank_pattern.0.iter().map(|(pattern, _)| pattern);
        for pattern in patterns.chain(self.alpha_pattern.0.iter().map(|(pattern, _)| pattern)) {
            if pattern.len() > 1000
                || pattern.contains(['(', ')', '[', ']', '|', '+', '?', '{', '}'])
            {
                return fault(
                    "rank_pattern",
                    format!("{pattern:?}: only `.`, `.*` and `^` are read"),
                );
            }
        }
        Ok(())
    }

    /// The rank of the layer at `path`, as the configuration gives it.
    pub(super) fn rank(&self, path: &str) -> usize {
        self.rank_pattern.get(path).unwrap_or(self.r)
    }

    /// α of the layer at `path`; PEFT's default is 8.
    pub(super) fn alpha(&self, path: &str) -> f64 {
        let common = if self.peft_type == "LORA" { self.lora_alpha } else { self.alpha };
        self.alpha_pattern.get(path).or(common).unwrap_or(8.0)
    }

    /// Whether the layer at `path` is among those that are adapted; `None` where an expression says so.
    pub(super) fn targets(&self, path: &str) -> Option<bool> {
        let targets = self.target_modules.as_array()?;
        Some(targets.iter().filter_map(Value::as_str).any(|target| ends_in(path, target)))
    }
}

/// Whether a path ends in the steps of `target`.
pub(super) fn ends_in(path: &str, target: &str) -> bool {
    path.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether the whole path, or its end from some step on, is what the pattern says.
fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    if let Some(anchored) = pattern.strip_prefix('^') {
        return same(anchored.as_bytes(), path.as_bytes());
    }
    let ends = path.match_indices('.').map(|(dot, _)| &path[dot + 1..]);
    std::iter::once(path).chain(ends).any(|end| same(pattern.as_bytes(), end.as_bytes()))
}

/// A regular expression of no more than `.`, `.*`, `\.` and letters, without going back over more than
/// the last `.*`.
fn same(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut retry = None;
    while seen < text.len() {
        match pattern.get(at..).unwrap_or_default() {
            [b'.', b'*', ..] => {
                retry = Some((at + 2, seen));
                at += 2;
            }
            [b'\\', letter, ..] if *letter == text[seen] => (at, seen) = (at + 2, seen + 1),
            [letter, ..] if *letter == b'.' || (*letter == text[seen] && *letter != b'\\') => {
                (at, seen) = (at + 1, seen + 1);
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (at, seen) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    let mut rest = pattern.get(at..).unwrap_or_default();
    while let [b'.', b'*', more @ ..] = rest {
        rest = more;
    }
    rest.is_empty()
}
