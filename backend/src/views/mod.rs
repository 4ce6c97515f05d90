//! The wire types.

pub mod accounts;
pub mod audit;
pub mod page;
