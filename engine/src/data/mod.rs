//! Data sets: built from DICOM objects, split by patient, with card and captions.
//!
//! A data set is a folder:
//!
//! ```text
//! card.json         what it is, licence, attribution, counts by finding and split
//! manifest.jsonl    one Sample a line
//! frames/<id>.png   16-bit greyscale, calibrated, square pixels
//! ```
