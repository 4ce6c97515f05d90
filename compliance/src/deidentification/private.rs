//! Private attributes that are known to hold nothing of a patient (PS3.15 E.3.10).
//!
//! The standard's list is of CT, MR, PET and ultrasound for the most part; those that stand in
//! radiographs are here, and our own. Each names the representation that its value must have: a text in
//! a number's place is not kept, whoever wrote it.

/// A private attribute that may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafePrivate {
    /// Who reserves the block (PS3.5 7.8.1).
    pub creator: &'static str,
    /// The group.
    pub group: u16,
    /// The element within the block.
    pub element: u8,
    /// DS, IS or CS: as what the value must read.
    pub representation: &'static str,
}

const fn senographe(element: u8, representation: &'static str) -> SafePrivate {
    SafePrivate { creator: "GEMS_SENO_02", group: 0x0045, element, representation }
}

const SAFE: [SafePrivate; 12] = [
    senographe(0x06, "DS"), // Stereo angle
    senographe(0x1B, "CS"), // Clinical view
    senographe(0x20, "DS"), // Estimated anatomy mean
    senographe(0x27, "IS"), // Set number
    senographe(0x29, "DS"), // Windowing parameters
    senographe(0x2A, "IS"), // 2D location x
    senographe(0x2B, "IS"), // 2D location y
    senographe(0x49, "DS"), // Radiological thickness
    senographe(0x58, "DS"), // mu
    senographe(0x59, "IS"), // Threshold
    senographe(0x60, "IS"), // Breast ROI x
    senographe(0x61, "IS"), // Breast ROI y
];

/// The safe attribute of a creator at an element of its block.
pub fn safe_private(creator: &str, group: u16, element: u8) -> Option<&'static SafePrivate> {
    SAFE.iter().find(|safe| (safe.creator, safe.group, safe.element) == (creator, group, element))
}
