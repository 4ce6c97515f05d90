//! Networks, and the bundle that holds them on disk.
