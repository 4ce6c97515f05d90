//! Which condition a picture is turned into.

use serde::{Deserialize, Serialize};

use super::edges::{drawn, edges};
use crate::dicom::Frame;

/// What a condition image tells the network. Lines and areas are white on black, as the ControlNets of
/// Zhang et al. (arXiv 2302.05543) learnt them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// An area: the lungs' mask. What is not black counts, whatever its brightness.
    #[serde(alias = "lungmask")]
    Mask,
    /// The outlines of what a radiograph shows, by Canny's method.
    Edges,
    /// A drawing: lines on paper, dark on light or light on dark.
    Sketch,
    /// A condition that is ready as it is.
    Ready,
}

impl ControlKind {
    /// All kinds, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Mask, Self::Edges, Self::Sketch, Self::Ready];

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Edges => "edges",
            Self::Sketch => "sketch",
            Self::Ready => "ready",
        }
    }

    /// The kind that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        let word = if word == "lungmask" { "mask" } else { word };
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What a network that learns this kind sees for `radiograph`, in its size; `mask` is the lungs', where
    /// there is one. Nothing where the radiograph has no such condition.
    #[must_use]
    pub fn taught(self, radiograph: &Frame, mask: Option<&Frame>) -> Option<Frame> {
        match self {
            Self::Mask => mask.map(|mask| self.condition(mask)),
            Self::Edges => Some(edges(radiograph)),
            Self::Sketch => Some(drawn(radiograph)),
            Self::Ready => None,
        }
    }

    /// The condition image of `picture`, in its size.
    #[must_use]
    pub fn condition(self, picture: &Frame) -> Frame {
        let each = |of: &dyn Fn(f32) -> f32| Frame {
            pixels: picture.pixels.iter().map(|value| of(*value)).collect(),
            ..*picture
        };
        match self {
            // Masks are stored as 0 and 1 as well as 0 and 255: whatever is not black belongs to it.
            Self::Mask => each(&|value| if value > 0.0 { 1.0 } else { 0.0 }),
            Self::Edges => edges(picture),
            Self::Sketch => {
                // There is more paper than ink.
                let light = picture.pixels.iter().filter(|value| **value >= 0.5).count();
                let inverted = 2 * light > picture.pixels.len();
                each(&|value| if (value >= 0.5) == inverted { 0.0 } else { 1.0 })
            }
            Self::Ready => picture.clone(),
        }
    }
}
