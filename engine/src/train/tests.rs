//! Kill and resume, gradients, frozen weights.
