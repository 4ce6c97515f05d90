//! Whole flows, and what must survive them.

mod audit;
mod kill;
mod postgres;
