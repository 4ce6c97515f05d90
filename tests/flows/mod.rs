//! Whole flows, and what must survive them.

mod audit;
mod generate;
mod kill;
mod postgres;
