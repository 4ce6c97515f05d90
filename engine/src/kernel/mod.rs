//! The hot CPU operations as custom operations with their gradients.
//!
//! Nothing else in the engine says `unsafe`.
