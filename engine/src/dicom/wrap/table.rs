//! The label table: columns are found by name, every cell is checked before anything is written.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::{Columns, WrapError, WrapOptions};
use crate::terms::{Finding, NORMAL, Sex, ViewPosition, finding, findings, view_position};

/// One image and what the table says of it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Row of the table; the header is row 1.
    pub(super) line: u64,
    /// Name of the column that holds the file.
    pub(super) file_column: String,
    pub(super) image: PathBuf,
    pub(super) object_name: String,
    pub(super) patient: String,
    pub(super) findings: Vec<&'static Finding>,
    pub(super) age_years: Option<u16>,
    /// The age stands for an age group.
    pub(super) age_assumed: bool,
    pub(super) sex: Option<Sex>,
    pub(super) view: Option<&'static ViewPosition>,
    /// Width over height to restore; `None` where the image is as it was.
    pub(super) aspect: Option<f32>,
    /// The aspect is the options', not the image's own.
    pub(super) aspect_assumed: bool,
}

/// Where a field is found, and how the table calls it.
struct Column {
    index: usize,
    name: String,
}

struct Layout {
    file: Column,
    findings: Column,
    patient: Column,
    age: Option<Column>,
    sex: Option<Column>,
    view: Option<Column>,
    original: Option<(Column, Column)>,
}

/// Reads every row, or says which one cannot be used.
pub(super) fn read(options: &WrapOptions) -> Result<Vec<Row>, WrapError> {
    let defaults = Defaults::of(options)?;
    let table_error = |cause: String| WrapError::Table { cause };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(&options.table)
        .map_err(|error| table_error(described(&error)))?;
    let headers = reader.headers().map_err(|error| table_error(described(&error)))?.clone();
    let layout = Layout::find(&headers, &options.columns)?;
    let mut rows = Vec::new();
    let mut names = HashSet::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| table_error(described(&error)))?;
        // The header is row 1, as in a spreadsheet.
        let line = index as u64 + 2;
        let row = layout.row(&record, line, options, &defaults)?;
        if !names.insert(row.object_name.clone()) {
            return Err(cell(line, &layout.file, "another row has the same file name"));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(table_error("no rows".to_owned()));
    }
    Ok(rows)
}

/// What stands for cells that are absent.
struct Defaults {
    view: Option<&'static ViewPosition>,
}

impl Defaults {
    fn of(options: &WrapOptions) -> Result<Self, WrapError> {
        let view = match options.default_view.as_deref() {
            None => None,
            Some(code) => Some(view_position(code).ok_or(WrapError::Option {
                option: "view",
                cause: "not a known view position; known are AP, PA, LL, RL".to_owned(),
            })?),
        };
        let positive = |option, value: Option<f32>| match value {
            Some(value) if !(value.is_finite() && (0.01..100.0).contains(&value)) => {
                Err(WrapError::Option { option, cause: "not between 0.01 and 100".to_owned() })
            }
            _ => Ok(()),
        };
        positive("default-aspect", options.default_aspect)?;
        positive("pixel-spacing", options.pixel_spacing)?;
        if options.default_age.is_some_and(|age| age > MOST_YEARS) {
            return Err(WrapError::Option {
                option: "default-age",
                cause: format!("over {MOST_YEARS} years"),
            });
        }
        if options.limit == Some(0) {
            return Err(WrapError::Option { option: "limit", cause: "zero".to_owned() });
        }
        Ok(Self { view })
    }
}

/// Nobody is older; ages beyond are slips of a digit.
const MOST_YEARS: u16 = 120;

impl Layout {
    fn find(headers: &csv::StringRecord, wanted: &Columns) -> Result<Self, WrapError> {
        let optional = |wanted: Option<&String>, known: &[&str]| match wanted {
            Some(name) => match position(headers, &[name]) {
                Some(column) => Ok(Some(column)),
                None => Err(WrapError::Table { cause: format!("no column is called {name:?}") }),
            },
            None => Ok(position(headers, known)),
        };
        let required = |wanted: Option<&String>, known: &[&str]| {
            optional(wanted, known)?.ok_or_else(|| WrapError::Table {
                cause: format!("no column is called {}", known.join(", ")),
            })
        };
        let width = optional(wanted.original_width.as_ref(), &["original_width"])?;
        let height = optional(wanted.original_height.as_ref(), &["original_height"])?;
        if width.is_some() != height.is_some() {
            return Err(WrapError::Table {
                cause: "an original width needs an original height beside it".to_owned(),
            });
        }
        Ok(Self {
            file: required(
                wanted.file.as_ref(),
                &["file", "image", "filename", "file name", "image index"],
            )?,
            findings: required(
                wanted.findings.as_ref(),
                &["findings", "finding", "finding labels", "label", "labels"],
            )?,
            patient: required(
                wanted.patient.as_ref(),
                &["patient", "patient id", "patientid", "subject id", "subject"],
            )?,
            age: optional(wanted.age.as_ref(), &["age", "patient age"])?,
            sex: optional(
                wanted.sex.as_ref(),
                &["sex", "gender", "patient sex", "patient gender"],
            )?,
            view: optional(wanted.view.as_ref(), &["view", "view position", "viewposition"])?,
            original: width.zip(height),
        })
    }

    fn row(
        &self,
        record: &csv::StringRecord,
        line: u64,
        options: &WrapOptions,
        defaults: &Defaults,
    ) -> Result<Row, WrapError> {
        let get = |column: &Column| record.get(column.index).unwrap_or_default().trim();
        let optional =
            |column: &Option<Column>| column.as_ref().map(get).filter(|text| !text.is_empty());
        let bad = |column: &Option<Column>, cause: &str| match column {
            Some(column) => cell(line, column, cause),
            None => WrapError::Table { cause: cause.to_owned() },
        };
        let (image, object_name) = image(get(&self.file), &options.images)
            .map_err(|cause| cell(line, &self.file, cause))?;
        let patient = get(&self.patient);
        if patient.is_empty() {
            return Err(cell(line, &self.patient, "empty"));
        }
        // The identifier is written as a Long String (PS3.5 6.2) and into the patient's name.
        if patient.chars().count() > 56
            || patient.contains(|c: char| c.is_control() || matches!(c, '\\' | '^' | '='))
        {
            return Err(cell(
                line,
                &self.patient,
                "over 56 characters, or a control character, \\, ^ or =",
            ));
        }
        let age_years = match optional(&self.age) {
            None => options.default_age,
            Some(text) => Some(
                text.trim_end_matches(['Y', 'y'])
                    .parse::<u16>()
                    .ok()
                    .filter(|age| *age <= MOST_YEARS)
                    .ok_or_else(|| bad(&self.age, "not an age in whole years up to 120"))?,
            ),
        };
        let sex = match optional(&self.sex) {
            None => options.default_sex,
            Some(text) => Some(Sex::parse(text).ok_or_else(|| bad(&self.sex, "not F, M or O"))?),
        };
        let view = match optional(&self.view) {
            None => defaults.view,
            Some(text) => Some(
                view_position(text)
                    .ok_or_else(|| bad(&self.view, "not a known view position: AP, PA, LL, RL"))?,
            ),
        };
        let (aspect, aspect_assumed) = match self.own_aspect(record, line, options)? {
            Some(aspect) => (Some(aspect), false),
            None => (options.default_aspect, true),
        };
        Ok(Row {
            line,
            file_column: self.file.name.clone(),
            image,
            object_name,
            patient: patient.to_owned(),
            findings: words(get(&self.findings)).map_err(|cause| WrapError::Row {
                row: line,
                column: self.findings.name.clone(),
                cause,
            })?,
            age_years,
            age_assumed: optional(&self.age).is_none() && age_years.is_some(),
            sex,
            view,
            aspect,
            aspect_assumed,
        })
    }

    /// The aspect to restore by the row's own size; none where it leaves that to the options.
    fn own_aspect(
        &self,
        record: &csv::StringRecord,
        line: u64,
        options: &WrapOptions,
    ) -> Result<Option<f32>, WrapError> {
        let Some((width_column, height_column)) = &self.original else {
            return Ok(None);
        };
        let side = |column: &Column| {
            let text = record.get(column.index).unwrap_or_default().trim();
            if text.is_empty() {
                return Ok(None);
            }
            text.parse::<u32>()
                .ok()
                .filter(|side| (1..=65_535).contains(side))
                .map(Some)
                .ok_or_else(|| cell(line, column, "not a number of pixels"))
        };
        match (side(width_column)?, side(height_column)?) {
            (Some(width), Some(height)) => Ok(Some(width as f32 / height as f32)),
            (None, None) if options.default_aspect.is_some() => Ok(None),
            (None, None) => Err(cell(line, width_column, "empty, and no default aspect is given")),
            (None, Some(_)) => Err(cell(line, width_column, "empty beside a height")),
            (Some(_), None) => Err(cell(line, height_column, "empty beside a width")),
        }
    }
}

fn position(headers: &csv::StringRecord, known: &[&str]) -> Option<Column> {
    let plain = |name: &str| name.trim_matches('\u{feff}').trim().to_lowercase().replace('_', " ");
    known.iter().find_map(|wanted| {
        headers
            .iter()
            .position(|header| plain(header) == plain(wanted))
            .map(|index| Column { index, name: headers[index].trim().to_owned() })
    })
}

/// The image's path and the object's file name.
fn image(file: &str, images: &Path) -> Result<(PathBuf, String), &'static str> {
    let relative = Path::new(file);
    if file.is_empty() {
        return Err("empty");
    }
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err("leads out of the image folder");
    }
    let path = images.join(relative);
    if !path.is_file() {
        return Err("no such file in the image folder");
    }
    // Folders within the image folder become part of the name, so that two of the same name stay apart.
    let stem = relative.with_extension("");
    let parts: Vec<_> = stem.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Ok((path, format!("{}.dcm", parts.join("_"))))
}

/// Findings joined by `|`, each once, in the order of the vocabulary.
fn words(text: &str) -> Result<Vec<&'static Finding>, String> {
    let mut found = Vec::new();
    for word in text.split('|').map(str::trim).filter(|word| !word.is_empty()) {
        found.push(finding(word).ok_or_else(|| {
            let known: Vec<_> = findings().iter().map(|finding| finding.name).collect();
            format!("not a known finding; known are {}", known.join(", "))
        })?);
    }
    if found.is_empty() {
        return Err("empty".to_owned());
    }
    let ordered: Vec<_> = findings().iter().filter(|finding| found.contains(finding)).collect();
    if ordered.len() > 1 && ordered.iter().any(|finding| finding.slug == NORMAL) {
        return Err("normal excludes every other finding".to_owned());
    }
    Ok(ordered)
}

fn cell(row: u64, column: &Column, cause: &str) -> WrapError {
    WrapError::Row { row, column: column.name.clone(), cause: cause.to_owned() }
}

/// What the CSV reader says, without the cells it would quote.
fn described(error: &csv::Error) -> String {
    let row = |position: &Option<csv::Position>| {
        position.as_ref().map_or(0, |position| position.record() + 1)
    };
    match error.kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::Utf8 { pos, .. } => format!("row {} is not UTF-8", row(pos)),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            format!("row {} has {len} cells, the header has {expected_len}", row(pos))
        }
        _ => "not readable as CSV".to_owned(),
    }
}
