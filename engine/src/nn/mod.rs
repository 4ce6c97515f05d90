//! Layers: linear, convolution, norms, attention, residual block, time embedding.
//!
//! A map is `[batch, height, width, channels]`: where a pixel's channels lie together, a convolution reads them as
//! they lie. Networks take and give planes, `[batch, channels, height, width]`, and turn them once.
//!
//! Every layer takes its weights from [`Weights`] by the path that they have in the checkpoint, and
//! linear layers and convolutions have a slot for a [`Delta`]: whoever fills it stays unknown here.

mod attention;
mod conv;
mod delta;
mod finite;
mod kept;
mod linear;
mod map;
mod norm;
mod resnet;
mod stored;
mod tape;
mod time;
mod weights;

#[cfg(test)]
pub(crate) mod gradients;
#[cfg(test)]
mod tests;

pub use crate::kernel::{add, attention as attend, geglu, silu, softmax, upsample_nearest};
pub use attention::{Attention, ImageContext};
pub use conv::Conv2d;
pub use delta::{Base, Delta, DeltaSlot, Operation};
pub use finite::all_finite;
pub use kept::Kept;
pub use linear::Linear;
pub use map::{channels_to_space, space_to_channels, to_map, to_planes};
pub use norm::{GroupNorm, LayerNorm};
pub use resnet::{ResnetBlock, TimeShift};
pub use stored::{Cut, Place, Stored};
pub use tape::Tape;
pub use time::{TimestepEmbedding, timestep_embedding};
pub use weights::{Init, WeightForm, Weights};
