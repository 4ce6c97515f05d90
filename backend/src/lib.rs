//! The Skiagraph platform.
