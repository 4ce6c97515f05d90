//! How a synthetic image says what it is, to people and to machines.
//!
//! Article 50(2) of Regulation (EU) 2024/1689 asks for marks that machines can read; DICOM has had
//! one since CP-2181: Synthetic Data (0008,001C).

/// Value of Synthetic Data (0008,001C), SOP Common Module (PS3.3 C.12.1).
pub const SYNTHETIC_DATA: &str = "YES";

/// Code of the purpose in Contributing Equipment Sequence (0018,A001), CID 7005.
pub const SYNTHESIZING_EQUIPMENT: (&str, &str, &str) = ("109100", "DCM", "Synthesizing Equipment");

/// What stands beside every synthetic image on a page and in a PNG's text.
pub const NOTICE: &str = "Synthetic image. It shows no patient. Not for diagnosis.";

/// Keyword of the notice in a PNG's text chunk.
pub const PNG_NOTICE_KEYWORD: &str = "Disclaimer";

/// Keyword of the provenance (JSON) in a PNG's text chunk.
pub const PNG_PROVENANCE_KEYWORD: &str = "Skiagraph provenance";
