//! The training loop, and a task a file.
