//! A tiny model makes the same image from the same request.
