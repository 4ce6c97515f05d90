//! What the tests stand on: real programs, real folders, HTTP.

pub mod objects;
pub mod problem;
pub mod server;
pub mod session;
pub mod store;

pub use server::{Server, shared};
pub use session::{Session, wait_over};
