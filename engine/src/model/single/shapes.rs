//! What the names and shapes of a checkpoint say about its networks.

use std::collections::BTreeMap;

use super::names::number;

/// Shapes by name.
pub(super) struct Shapes(pub(super) BTreeMap<String, Vec<usize>>);

/// One level of a UNet on the way down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Level {
    /// Channels.
    pub(super) channels: usize,
    /// Residual blocks.
    pub(super) layers: usize,
    /// Transformer blocks of each of its transformers; 0 without any.
    pub(super) depth: usize,
}

impl Shapes {
    pub(super) fn holds(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The length of an axis of a tensor.
    ///
    /// # Errors
    /// Where it is missing, or has no such axis.
    pub(super) fn side(&self, name: &str, axis: usize) -> Result<usize, String> {
        let shape = self.0.get(name).ok_or_else(|| format!("{name} is missing"))?;
        shape.get(axis).copied().ok_or_else(|| format!("{name} is {shape:?}"))
    }

    /// The largest number that follows `prefix` in a name.
    pub(super) fn last(&self, prefix: &str) -> Option<usize> {
        let names = self.0.range(prefix.to_owned()..).map(|(name, _)| name);
        names
            .take_while(|name| name.starts_with(prefix))
            .filter_map(|name| Some(number(&name[prefix.len()..])?.0))
            .max()
    }

    /// How many things are numbered behind `prefix`.
    pub(super) fn count(&self, prefix: &str) -> usize {
        self.last(prefix).map_or(0, |last| last + 1)
    }

    /// The levels of a UNet with latent diffusion's names, from the image down.
    ///
    /// # Errors
    /// Where the blocks are those of no such network.
    pub(super) fn levels(&self) -> Result<Vec<Level>, String> {
        let mut levels: Vec<Level> = Vec::new();
        let mut begun = false;
        for block in 1..self.count("input_blocks.") {
            let path = format!("input_blocks.{block}");
            if self.holds(&format!("{path}.0.op.weight")) {
                begun = false;
                continue;
            }
            let channels = self.side(&format!("{path}.0.in_layers.2.weight"), 0)?;
            let depth = self.count(&format!("{path}.1.transformer_blocks."));
            match levels.last_mut() {
                Some(level) if begun => {
                    if (level.channels, level.depth) != (channels, depth) {
                        return Err(format!("{path} differs from the blocks of its level"));
                    }
                    level.layers += 1;
                }
                Some(_) | None => levels.push(Level { channels, layers: 1, depth }),
            }
            begun = true;
        }
        if levels.is_empty() || levels.len() > 8 {
            return Err(format!("has {} levels, and 1 to 8 are known", levels.len()));
        }
        Ok(levels)
    }

    /// Residual blocks of a level, the same at every one.
    ///
    /// # Errors
    /// Where levels differ.
    pub(super) fn layers_of_a_level(&self) -> Result<usize, String> {
        let levels = self.levels()?;
        let layers = levels[0].layers;
        if levels.iter().any(|level| level.layers != layers) {
            return Err("has levels of different length, which diffusers has not".into());
        }
        Ok(layers)
    }
}
