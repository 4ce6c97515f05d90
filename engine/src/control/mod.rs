//! Condition images: from a lung mask, a radiograph's edges or a drawing to what a ControlNet or a
//! T2I-Adapter sees.

mod edges;
mod kind;
mod picture;

#[cfg(test)]
mod tests;

pub use kind::ControlKind;
pub use picture::{PictureError, read_picture};
