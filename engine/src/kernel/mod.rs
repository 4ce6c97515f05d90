//! The hot CPU operations as custom operations with their gradients.
//!
//! Nothing else in the engine says `unsafe`. Every operation takes its own kernel for `f32` on the
//! CPU and candle's route for anything else, so that one model runs on every device.

mod activation;
mod add;
mod attention;
mod attention_backward;
mod conv;
mod group_norm;
mod isa;
mod layer_norm;
mod linear;
mod map;
mod optimiser;
mod panels;
mod patches;
mod product;
mod scattered;
mod simd;
mod softmax;
mod tile;
mod upsample;
mod view;
mod weight;

#[cfg(test)]
mod tests;

pub use activation::{geglu, silu};
pub use add::{add, add_channels};
pub use attention::attention;
pub use conv::conv2d;
pub use group_norm::group_norm;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use map::{LONGEST_HEADER, header_length, map_shards, map_weights};
pub use optimiser::{AdamW, AdamWStep};
pub use patches::Convolution;
pub use softmax::softmax;
pub use upsample::upsample_nearest;
pub use weight::Weight;
