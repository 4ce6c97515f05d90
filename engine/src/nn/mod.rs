//! Layers: linear, convolution, norms, attention, residual block, time embedding.
