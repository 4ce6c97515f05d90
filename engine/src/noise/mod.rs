//! Noise schedules and prediction types, one file a scheduler.
