//! Values of a configuration that hold for every level of a network, or one for each.

use serde::{Deserialize, Serialize};

/// A value for every level, or one for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerLevel<T = usize> {
    /// One a level.
    Each(Vec<T>),
    /// The same at every level.
    One(T),
}

impl<T> PerLevel<T> {
    /// The value of a level, where there is one.
    pub(super) fn get(&self, level: usize) -> Option<&T> {
        match self {
            Self::One(value) => Some(value),
            Self::Each(values) => values.get(level),
        }
    }

    /// Whether there is a value for each of `levels`, and no more.
    pub(super) fn fits(&self, levels: usize) -> bool {
        match self {
            Self::One(_) => true,
            Self::Each(values) => values.len() == levels,
        }
    }
}

impl<T: Copy + Default> PerLevel<T> {
    /// The value of a level; nothing where there is none.
    pub(super) fn at(&self, level: usize) -> T {
        self.get(level).copied().unwrap_or_default()
    }
}
