//! The hot CPU operations as custom operations with their gradients.
//!
//! Nothing else in the engine says `unsafe`. Every operation takes its own kernel for `f32` on the
//! CPU and candle's route for anything else, so that one model runs on every device.

mod activation;
mod conv;
mod fault;
mod gemm;
mod map;
mod norm;
mod optimiser;
mod simd;
mod softmax;
mod view;

#[cfg(test)]
mod tests;

pub use activation::{geglu, silu};
pub use conv::conv2d;
pub use fault::Fault;
pub use map::{LONGEST_HEADER, header_length, map_shards, map_weights};
pub use norm::{group_norm, layer_norm};
pub use optimiser::{AdamW, AdamWStep};
pub use softmax::softmax;
