//! What a search asks for (PS3.18 8.3.4 and 10.6.1).

use skiagraph_engine::dicom;

use super::keys::{KEYS, Key, Kind};
use crate::error::ApiError;
use crate::models::instances::{Column, Criterion, Test};

/// Results of an answer, at most.
pub const MOST_RESULTS: u64 = 1000;
/// Characters of a value, at most: a list of UIDs may be long.
const LONGEST: usize = 16 << 10;

/// A search that can be made.
#[derive(Debug, Default)]
pub struct Search {
    /// What must fit.
    pub criteria: Vec<Criterion>,
    /// Tags of the keys, for the audit log.
    pub keys: Vec<&'static str>,
    /// Attributes that are asked for beside the usual ones.
    pub include: Vec<String>,
    /// Every attribute is asked for.
    pub include_all: bool,
    /// Results before the first.
    pub offset: u64,
    /// Results, at most.
    pub limit: Option<u64>,
    /// Matching by sound was asked for; here it is by letters.
    pub fuzzy: bool,
}

impl Search {
    /// Reads a query's parameters. `accept` is read elsewhere.
    ///
    /// # Errors
    /// Names a parameter that is none, or whose value cannot be used; it repeats no value.
    pub fn read(pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let mut search = Self::default();
        for (name, value) in pairs {
            if value.len() > LONGEST {
                return Err(malformed("query", "a value is too long"));
            }
            match name.as_str() {
                "accept" | "charset" => {}
                "fuzzymatching" => search.fuzzy = value == "true",
                "limit" => search.limit = Some(number("limit", value)?),
                "offset" => search.offset = number("offset", value)?,
                "includefield" if value == "all" => search.include_all = true,
                "includefield" => {
                    // What is not known cannot be there either.
                    search.include.extend(value.split(',').filter_map(dicom::attribute_tag));
                }
                name => search.key(name, value)?,
            }
        }
        Ok(search)
    }

    fn key(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let tag = dicom::attribute_tag(name);
        let key = KEYS.iter().find(|key| Some(key.tag) == tag.as_deref());
        let Some(key) = key else {
            // A known attribute may be named; anything else came from outside and is not repeated.
            let field = if tag.is_some() { name } else { "query" };
            return Err(malformed(field, "is no attribute that is searched by"));
        };
        // No value fits every value (PS3.4 C.2.2.2.3).
        if !value.is_empty() && value != "*" {
            self.keys.push(key.tag);
            self.criteria.push(criterion(key, value)?);
        }
        Ok(())
    }

    /// The same among what belongs to a study, or to one of its series.
    #[must_use]
    pub fn within(mut self, study: Option<&str>, series: Option<&str>) -> Self {
        let places = [(Column::StudyInstanceUid, study), (Column::SeriesInstanceUid, series)];
        for (column, uid) in places {
            if let Some(uid) = uid {
                self.criteria.push(Criterion { column, test: Test::AnyOf(vec![uid.to_owned()]) });
            }
        }
        self
    }
}

fn malformed(field: &str, cause: &str) -> ApiError {
    ApiError::malformed(field, cause)
}

fn number(field: &str, value: &str) -> Result<u64, ApiError> {
    // The database's numbers are signed.
    let number = value.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| malformed(field, "must be a whole number"))
}

fn criterion(key: &Key, value: &str) -> Result<Criterion, ApiError> {
    let test = match key.kind {
        Kind::Text => Test::Like(pattern(value)),
        Kind::OfStudy => Test::SomeInStudy(value.to_owned()),
        Kind::Uid => {
            let uids: Vec<String> = value.split([',', '\\']).map(str::to_owned).collect();
            if !uids.iter().all(|uid| dicom::is_valid_uid(uid)) {
                return Err(malformed(key.tag, "must be UIDs, with commas between them"));
            }
            Test::AnyOf(uids)
        }
        Kind::Date => span(value, |day| {
            (day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| (day.to_owned(), day.to_owned()))
        })
        .ok_or_else(|| malformed(key.tag, "must be a day YYYYMMDD, or a span YYYYMMDD-YYYYMMDD"))?,
        Kind::Time => span(value, moment)
            .ok_or_else(|| malformed(key.tag, "must be a time HHMMSS, or a span of times"))?,
    };
    Ok(Criterion { column: key.column, test })
}

/// The pattern of SQL for one of DICOM's.
fn pattern(value: &str) -> String {
    let mut pattern = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '*' => pattern.push('%'),
            '?' => pattern.push('_'),
            '%' | '_' | '\\' => pattern.extend(['\\', c]),
            c => pattern.push(c),
        }
    }
    pattern
}

/// One value, or two with a hyphen between them, of which one may be missing.
fn span(value: &str, read: impl Fn(&str) -> Option<(String, String)>) -> Option<Test> {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    if first.is_empty() && last.is_empty() {
        return None;
    }
    let side = |text: &str| if text.is_empty() { Some(None) } else { read(text).map(Some) };
    let (first, last) = (side(first)?, side(last)?);
    Some(Test::Between(first.map(|(first, _)| first), last.map(|(_, last)| last)))
}

/// The first and the last moment of a time that may be cut off after hours or minutes. As text they lie
/// around every time that begins so.
fn moment(text: &str) -> Option<(String, String)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = matches!(whole.len(), 2 | 4 | 6)
        && digits(whole)
        && digits(fraction)
        && fraction.len() <= 6
        && (fraction.is_empty() || whole.len() == 6);
    fits.then(|| (text.to_owned(), format!("{text}~")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Search, ApiError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Search::read(&query.iter().map(own).collect::<Vec<_>>())
    }

    #[test]
    fn keys_go_by_keyword_and_by_tag() {
        let search =
            read(&[("PatientID", "A_?*"), ("0020000D", "1.2,1.3"), ("limit", "7")]).unwrap();
        assert_eq!(search.criteria[0].test, Test::Like("A\\__%".to_owned()));
        assert!(matches!(search.criteria[0].column, Column::PatientId));
        assert_eq!(search.criteria[1].test, Test::AnyOf(vec!["1.2".into(), "1.3".into()]));
        assert_eq!((search.limit, search.offset), (Some(7), 0));
        assert_eq!(search.keys, ["00100020", "0020000D"]);
        let universal = read(&[("StudyDate", ""), ("PatientName", "*")]).unwrap();
        assert!(universal.criteria.is_empty() && universal.keys.is_empty());
    }

    #[test]
    fn spans_are_open_at_either_side() {
        let test = |name: &str, value: &str| {
            read(&[(name, value)]).map(|search| search.criteria[0].test.clone())
        };
        let between = |first: Option<&str>, last: Option<&str>| {
            Test::Between(first.map(str::to_owned), last.map(str::to_owned))
        };
        let day = between(Some("20260101"), Some("20260101"));
        assert_eq!(test("StudyDate", "20260101").unwrap(), day);
        assert_eq!(test("StudyDate", "20260101-").unwrap(), between(Some("20260101"), None));
        assert_eq!(test("StudyDate", "-20260101").unwrap(), between(None, Some("20260101")));
        assert_eq!(test("StudyTime", "10-1130").unwrap(), between(Some("10"), Some("1130~")));
        for (name, value) in [("StudyDate", "-"), ("StudyDate", "2026"), ("StudyTime", "1")] {
            assert!(test(name, value).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn what_is_no_key_is_named_only_where_it_is_an_attribute() {
        let field = |name: &str| match read(&[(name, "x")]).unwrap_err() {
            ApiError::Malformed(fault) => fault.field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field("PatientWeight"), "PatientWeight");
        assert_eq!(field("John Smith"), "query");
        assert_eq!(field("StudyInstanceUID"), "0020000D");
        assert!(read(&[("limit", "-1")]).is_err());
    }

    #[test]
    fn fields_to_include_are_tags() {
        let search = read(&[("includefield", "00081030,Manufacturer,Nonsense")]).unwrap();
        assert_eq!(search.include, ["00081030", "00080070"]);
        assert!(read(&[("includefield", "all")]).unwrap().include_all);
    }
}
