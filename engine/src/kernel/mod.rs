//! The hot CPU operations as custom operations with their gradients.
//!
//! Nothing else in the engine says `unsafe`. Every operation takes its own kernel for `f32` and `bf16` on the CPU, by
//! the widest instructions that the processor has ([`isa`]), and candle's operations for anything else ([`composed`]
//! where their gradients are not what we need), so that one model runs on every device; [`flash`] alone is for GPUs
//! alone.
//!
//! What multiplies stands on one loop, [`tile`]: eight rows by 48 columns. [`product`] goes over a matrix with it,
//! [`attention`] over keys and queries, [`winograd`] over the points of a convolution's tiles. Its left side are rows as
//! they lie, a convolution's pixels ([`patches`]), too; its right side are [`panels`], into which a layer's [`weight`] is
//! packed once, or rows as they lie. A weight that serves alone may be packed in eight bits ([`int8`]).

mod activation;
mod adafactor;
mod add;
mod attention;
mod attention_backward;
mod composed;
mod conv;
mod fault;
mod few_rows;
mod flash;
mod group_norm;
mod heads;
mod int8;
mod isa;
mod layer_norm;
mod linear;
mod map;
pub mod memory;
mod optimiser;
mod panels;
mod patches;
mod process;
mod product;
pub mod profile;
mod scattered;
mod scratch;
mod simd;
mod softmax;
mod tile;
mod turn;
mod upsample;
mod view;
mod weight;
mod weight_gradient;
mod winograd;

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "cuda"))]
pub(crate) use tests::cuda::{SINGLE, gpu};

pub use activation::{geglu, silu};
pub use adafactor::{Adafactor, AdafactorStep};
pub use add::{add, add_channels};
pub use attention::attention;
pub use conv::conv2d;
pub use fault::Fault;
pub use group_norm::group_norm;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use map::{LONGEST_HEADER, header_length, map_shards, map_weights, release};
pub use optimiser::{AdamW, AdamWStep};
pub use patches::Convolution;
pub use process::prepare_process;
pub use softmax::softmax;
pub use upsample::upsample_nearest;
pub use weight::Weight;
