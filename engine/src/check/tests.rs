//! Unit tests of the check; numbers of the original library live in `tests/golden`.
#![allow(clippy::unwrap_used)]
