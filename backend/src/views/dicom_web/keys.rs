//! Attributes that objects are searched by (PS3.18 tables 10.6.1-5), and those that an answer holds.

use crate::models::instances::Column;

/// How a key is matched (PS3.4 C.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// With `*` and `?`; letters fit both cases.
    Text,
    /// One of a list.
    Uid,
    /// A day or a span of days.
    Date,
    /// A time or a span of times.
    Time,
    /// Some instance of the study has it.
    OfStudy,
}

pub(super) struct Key {
    pub(super) tag: &'static str,
    pub(super) column: Column,
    pub(super) kind: Kind,
}

const fn key(tag: &'static str, column: Column, kind: Kind) -> Key {
    Key { tag, column, kind }
}

/// Every attribute that is matched, whatever is searched for: a study fits where an instance in it does.
pub(super) const KEYS: [Key; 20] = [
    key("00080016", Column::SopClassUid, Kind::Uid),
    key("00080018", Column::SopInstanceUid, Kind::Uid),
    key("00080020", Column::StudyDate, Kind::Date),
    key("00080030", Column::StudyTime, Kind::Time),
    key("00080050", Column::AccessionNumber, Kind::Text),
    key("00080060", Column::Modality, Kind::Text),
    key("00080061", Column::Modality, Kind::OfStudy),
    key("00080090", Column::ReferringPhysicianName, Kind::Text),
    key("00081030", Column::StudyDescription, Kind::Text),
    key("0008103E", Column::SeriesDescription, Kind::Text),
    key("00100010", Column::PatientName, Kind::Text),
    key("00100020", Column::PatientId, Kind::Text),
    key("00100030", Column::PatientBirthDate, Kind::Date),
    key("00100040", Column::PatientSex, Kind::Text),
    key("00180015", Column::BodyPartExamined, Kind::Text),
    key("0020000D", Column::StudyInstanceUid, Kind::Uid),
    key("0020000E", Column::SeriesInstanceUid, Kind::Uid),
    key("00200010", Column::StudyId, Kind::Text),
    key("00200011", Column::SeriesNumber, Kind::Text),
    key("00200013", Column::InstanceNumber, Kind::Text),
];

/// Attributes of a study in every answer, with their representations (PS3.18 table 10.6.3-3).
pub(super) const OF_STUDY: [(&str, &str); 12] = [
    ("00080005", "CS"),
    ("00080020", "DA"),
    ("00080030", "TM"),
    ("00080050", "SH"),
    ("00080090", "PN"),
    ("00081030", "LO"),
    ("00100010", "PN"),
    ("00100020", "LO"),
    ("00100030", "DA"),
    ("00100040", "CS"),
    ("0020000D", "UI"),
    ("00200010", "SH"),
];

/// Those of a series (table 10.6.3-4), and where it belongs.
pub(super) const OF_SERIES: [(&str, &str); 7] = [
    ("00080005", "CS"),
    ("00080060", "CS"),
    ("0008103E", "LO"),
    ("00180015", "CS"),
    ("0020000D", "UI"),
    ("0020000E", "UI"),
    ("00200011", "IS"),
];

/// Those of an instance (table 10.6.3-5), and where it belongs.
pub(super) const OF_INSTANCE: [(&str, &str); 10] = [
    ("00080005", "CS"),
    ("00080016", "UI"),
    ("00080018", "UI"),
    ("0020000D", "UI"),
    ("0020000E", "UI"),
    ("00200013", "IS"),
    ("00280008", "IS"),
    ("00280010", "US"),
    ("00280011", "US"),
    ("00280100", "US"),
];
