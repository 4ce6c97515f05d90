//! Objects by their DICOM identifiers: what viewers and archives search and fetch.
//!
//! A row stands for an object that is kept anyway, an image's or a radiograph's; it can be made again
//! from the object. Where two uploads brought one instance, the first counts.

mod index;
mod search;

pub use index::{Index, Missing, insert, missing};
pub use search::{Criterion, Group, Reader, Test, find, get, groups, of};

pub use crate::entities::instances::{Column, Model};
