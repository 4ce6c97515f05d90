//! Table E.1-1, by edition, and the Types of attributes with combined actions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Action, AttributeType, Policy, ProfileOption};

/// An edition of PS3.15 whose table is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Edition {
    /// 2024b, with every option's column as the standard has it.
    #[serde(rename = "2024b")]
    E2024b,
    /// 2026c. For the attributes that are new since 2024b no option is known here: they are treated by
    /// the Basic Profile whatever is chosen.
    #[default]
    #[serde(rename = "2026c")]
    E2026c,
}

impl Edition {
    /// The editions, the oldest first.
    pub const ALL: [Self; 2] = [Self::E2024b, Self::E2026c];

    /// The edition's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::E2024b => "2024b",
            Self::E2026c => "2026c",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::E2024b => include_str!("2024b.csv"),
            Self::E2026c => include_str!("2026c.csv"),
        }
    }

    /// The edition's table.
    pub fn table(self) -> &'static Table {
        static TABLES: [OnceLock<Table>; 2] = [OnceLock::new(), OnceLock::new()];
        TABLES[self as usize].get_or_init(|| Table::parse(self.text()))
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The images as which radiographs come (PS3.3 A.2, A.8.1, A.26, A.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// Computed Radiography.
    Cr,
    /// Digital X-Ray.
    Dx,
    /// Digital Mammography X-Ray.
    Mg,
    /// Secondary Capture.
    Sc,
}

impl Image {
    /// The Type of an attribute at the top level of the image; `(group, element)`.
    ///
    /// Known for the attributes whose action hangs on it; what the image has not is optional.
    pub fn attribute_type(self, (group, element): (u16, u16)) -> AttributeType {
        static TYPES: OnceLock<BTreeMap<String, [AttributeType; 4]>> = OnceLock::new();
        let types = TYPES.get_or_init(|| {
            let rows = include_str!("types.csv").lines().skip(1);
            rows.filter_map(|row| {
                let (tag, types) = row.split_once(',')?;
                let mut types = types.split(',').map(|of| match of {
                    "1" | "1C" => AttributeType::Valued,
                    "2" | "2C" => AttributeType::Present,
                    _ => AttributeType::Optional,
                });
                Some((tag.to_owned(), [types.next()?, types.next()?, types.next()?, types.next()?]))
            })
            .collect()
        });
        types
            .get(&format!("{group:04x}{element:04x}"))
            .map_or(AttributeType::Optional, |types| types[self as usize])
    }
}

#[derive(Debug)]
struct Row {
    name: String,
    basic: Vec<Action>,
    /// By the table's columns, as [`COLUMNS`] names them.
    options: [Option<Action>; COLUMNS.len()],
}

/// The options that have a column, in the files' order.
const COLUMNS: [ProfileOption; 10] = [
    ProfileOption::RetainSafePrivate,
    ProfileOption::RetainUids,
    ProfileOption::RetainDeviceIdentity,
    ProfileOption::RetainInstitutionIdentity,
    ProfileOption::RetainPatientCharacteristics,
    ProfileOption::RetainFullDates,
    ProfileOption::RetainModifiedDates,
    ProfileOption::CleanDescriptors,
    ProfileOption::CleanStructuredContent,
    ProfileOption::CleanGraphics,
];

/// Table E.1-1 of an edition.
#[derive(Debug)]
pub struct Table {
    rows: BTreeMap<String, Row>,
}

impl Table {
    fn parse(text: &str) -> Self {
        let mut rows = BTreeMap::new();
        for record in csv::Reader::from_reader(text.as_bytes()).records().flatten() {
            let mut cells = record.iter();
            let (Some(tag), Some(name), Some(basic)) = (cells.next(), cells.next(), cells.next())
            else {
                continue;
            };
            let basic = basic.split('/').filter_map(Action::of_letter).collect();
            let mut options = [None; COLUMNS.len()];
            for (option, cell) in options.iter_mut().zip(cells) {
                *option = Action::of_letter(cell);
            }
            rows.insert(tag.to_owned(), Row { name: name.to_owned(), basic, options });
        }
        Self { rows }
    }

    fn row(&self, (group, element): (u16, u16)) -> Option<&Row> {
        if group % 2 == 1 {
            return self.rows.get("private");
        }
        // Curves and overlays repeat in groups of their own (PS3.5 7.6).
        let key = match group {
            0x5000..=0x50FF => "50xxxxxx".to_owned(),
            0x6000..=0x60FF => format!("60xx{element:04x}"),
            _ => format!("{group:04x}{element:04x}"),
        };
        self.rows.get(&key)
    }

    /// What a policy does to an attribute of some Type; `None` where the table does not name it.
    ///
    /// Where several chosen options speak of it, the one that keeps more counts: each says what may
    /// stay.
    pub fn action(&self, tag: (u16, u16), policy: &Policy, of: AttributeType) -> Option<Action> {
        let row = self.row(tag)?;
        let chosen: Vec<Action> = COLUMNS
            .iter()
            .zip(row.options)
            .filter(|(option, _)| policy.has(**option))
            .filter_map(|(_, action)| action)
            .collect();
        [Action::Keep, Action::Clean]
            .into_iter()
            .find(|action| chosen.contains(action))
            .or_else(|| Action::resolve(&row.basic, of))
    }

    /// What the Basic Profile alone does to an attribute: what is left to do where cleaning does not
    /// succeed.
    pub fn basic(&self, tag: (u16, u16), of: AttributeType) -> Option<Action> {
        Action::resolve(&self.row(tag)?.basic, of)
    }

    /// The attribute's name in the table.
    pub fn name(&self, tag: (u16, u16)) -> Option<&str> {
        self.row(tag).map(|row| row.name.as_str())
    }

    /// Every tag that the table names one by one, in order: not private ones, curves and overlays.
    pub fn tags(&self) -> impl Iterator<Item = (u16, u16)> {
        self.rows.keys().filter_map(|key| {
            let (group, element) = key.split_at_checked(4)?;
            Some((u16::from_str_radix(group, 16).ok()?, u16::from_str_radix(element, 16).ok()?))
        })
    }
}
