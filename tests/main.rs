//! Skiagraph tested from outside.
