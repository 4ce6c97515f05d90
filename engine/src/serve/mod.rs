//! Typed requests and answers: what the platform asks the engine for.
