//! The wire types.

pub mod accounts;
pub mod audit;
pub mod checks;
pub mod datasets;
pub mod destinations;
pub mod dicom_web;
pub mod generations;
pub mod images;
pub mod limits;
pub mod models;
pub mod page;
pub mod runs;
pub mod shapes;
pub mod transfers;
pub mod uploads;
pub mod verify;
