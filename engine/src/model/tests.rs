//! Networks against golden values.
