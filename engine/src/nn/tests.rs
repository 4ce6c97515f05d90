//! Layers against golden values and finite differences.
