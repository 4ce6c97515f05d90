//! DICOMweb on the wire (PS3.18): what a search asks for, and what it is answered.

mod answer;
mod keys;
mod search;

pub use answer::{Level, Place, data_set, instance, metadata, series, stored, study};
pub use search::{MOST_RESULTS, Search};
