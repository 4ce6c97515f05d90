//! The schema of Skiagraph, one file a step.
