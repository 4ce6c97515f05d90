//! The denoise loop.
