//! Whole flows, and what must survive them.

mod audit;
mod bench;
mod dimse;
mod exchange;
mod generate;
mod kill;
mod postgres;
mod stow;
mod training;
mod verify;
