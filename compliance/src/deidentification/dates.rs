//! Dates moved by whole days, so that the spans between them and the times of day stay.

use chrono::{Days, NaiveDate};

fn moved(date: NaiveDate, days: u64) -> Option<NaiveDate> {
    date.checked_sub_days(Days::new(days))
}

/// A DA value (PS3.5 6.2) `days` earlier; also of the form with full stops that ACR-NEMA had. `None`
/// where the text is no date.
pub fn shifted_date(text: &str, days: u64) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    for format in ["%Y%m%d", "%Y.%m.%d"] {
        let digits = if format == "%Y%m%d" { 8 } else { 10 };
        if text.len() == digits
            && let Ok(date) = NaiveDate::parse_from_str(text, format)
        {
            return Some(moved(date, days)?.format("%Y%m%d").to_string());
        }
    }
    None
}

/// A DT value (PS3.5 6.2) `days` earlier, with its time and offset as they are. One that knows the year
/// or the month alone is moved from its first day, and says no more afterwards. `None` where the text is
/// no date.
pub fn shifted_datetime(text: &str, days: u64) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    if !text.is_ascii() {
        return None;
    }
    let date_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()).min(8);
    let (date, rest) = text.split_at(date_end);
    let in_place = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-');
    let whole = match date.len() {
        4 => format!("{date}0101"),
        6 => format!("{date}01"),
        8 => date.to_owned(),
        _ => return None,
    };
    // Digits behind a date that is not whole would be part of it.
    if !rest.chars().all(in_place) || (date.len() < 8 && rest.starts_with('.')) {
        return None;
    }
    let mut shifted = shifted_date(&whole, days)?;
    shifted.truncate(date.len());
    Some(shifted + rest)
}
