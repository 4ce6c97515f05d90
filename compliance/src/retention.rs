//! How long what is kept.

/// Years that audit events are kept at least: 45 CFR 164.316(b)(2)(i) asks six of the
/// documentation that 164.312(b) calls for.
pub const AUDIT_YEARS: u32 = 6;

/// The same in days, leap days included.
pub const AUDIT_DAYS: u32 = AUDIT_YEARS * 365 + 2;
