//! What the standards ask of Skiagraph, as types and pure functions.
