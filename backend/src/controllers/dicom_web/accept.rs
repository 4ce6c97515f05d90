//! Which media types a client reads (RFC 9110 12.5.1, PS3.18 8.3.3.1 and 8.7): the header, and the query
//! parameter `accept`, which goes before it.
//!
//! Types stand in the parameter `type` of `multipart/related`; clients quote it or not, and both are
//! read.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;
use url::form_urlencoded;

use crate::error::{ApiError, FieldError};

/// Ranges that are looked at; nobody needs more.
const MOST: usize = 32;

/// A media range of a client, in lower case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    /// What one part is: `application/dicom`, `image/*`, `*/*` …
    pub(super) media: String,
    /// Whether parts are to come as `multipart/related`; `None` where both will do.
    pub(super) multipart: Option<bool>,
    /// The transfer syntax: a UID, or `*`.
    pub(super) transfer_syntax: Option<String>,
}

impl Range {
    /// Whether the range holds a media type.
    pub(super) fn holds(&self, media: &str) -> bool {
        let kind = media.split('/').next().unwrap_or_default();
        self.media == "*/*" || self.media == media || self.media == format!("{kind}/*")
    }
}

/// The ranges, the best first.
pub(super) fn ranges(request: &HttpRequest) -> Vec<Range> {
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    let asked = query.find(|(name, _)| name == "accept").map(|(_, value)| value.into_owned());
    let text = asked.unwrap_or_else(|| {
        let headers = request.headers().get_all(ACCEPT);
        headers.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
    });
    read(&text)
}

/// The client reads nothing that is made here.
pub(super) fn none(made: &str) -> ApiError {
    ApiError::NotAcceptable(FieldError::new("accept", format!("made are {made}")))
}

/// DICOM JSON is among what the client reads.
pub(super) fn json(request: &HttpRequest) -> Result<(), ApiError> {
    let read = |range: &Range| {
        range.multipart != Some(true)
            && (range.holds("application/dicom+json") || range.holds("application/json"))
    };
    if ranges(request).iter().any(read) { Ok(()) } else { Err(none("application/dicom+json")) }
}

fn read(text: &str) -> Vec<Range> {
    if text.trim().is_empty() {
        return vec![Range { media: "*/*".to_owned(), multipart: None, transfer_syntax: None }];
    }
    let mut ranges: Vec<(f32, Range)> = Vec::new();
    for one in split(text, ',').into_iter().take(MOST) {
        let (media, parameters) = parameters(one);
        let parameter = |name: &str| {
            let mut found = parameters.iter().filter(|(known, _)| known == name);
            found.next().map(|(_, value)| value.clone())
        };
        let weight = parameter("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
        if weight <= 0.0 || media.is_empty() {
            continue;
        }
        let related = media == "multipart/related" || media == "multipart/*";
        ranges.push((
            weight,
            Range {
                multipart: match media.as_str() {
                    "*/*" => None,
                    _ => Some(related),
                },
                media: match parameter("type").filter(|_| related) {
                    Some(kind) => kind.to_lowercase(),
                    None if related => "*/*".to_owned(),
                    None => media,
                },
                transfer_syntax: parameter("transfer-syntax"),
            },
        ));
    }
    // Stable: of equal weight, the one that was said first.
    ranges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    ranges.into_iter().map(|(_, range)| range).collect()
}

/// A media type and its parameters; names in lower case, values without quotes.
pub(super) fn parameters(text: &str) -> (String, Vec<(String, String)>) {
    let mut pieces = split(text, ';').into_iter();
    let media = pieces.next().unwrap_or_default().trim().to_lowercase();
    let parameters = pieces.filter_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        let value = value.trim().trim_matches('"');
        Some((name.trim().to_lowercase(), value.to_owned()))
    });
    (media, parameters.collect())
}

/// Splits where no quotes are open.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        c == at && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_comes_first_and_quotes_are_no_matter() {
        let ranges = read(
            "text/html;q=0.2, multipart/related; type=\"application/dicom\"; transfer-syntax=*, \
             multipart/related;type=application/octet-stream;q=0.9, image/*;q=0",
        );
        assert_eq!(ranges.len(), 3);
        assert_eq!(ranges[0].media, "application/dicom");
        assert_eq!(ranges[0].transfer_syntax.as_deref(), Some("*"));
        assert_eq!(ranges[1].media, "application/octet-stream");
        assert_eq!(ranges[1].multipart, Some(true));
        assert!(ranges[2].holds("text/html") && !ranges[2].holds("text/plain"));
    }

    #[test]
    fn nothing_said_is_everything() {
        for text in ["", " ", "*/*"] {
            let ranges = read(text);
            assert!(
                ranges[0].holds("application/dicom") && ranges[0].multipart.is_none(),
                "{text}"
            );
        }
        assert!(read("image/png;q=0").is_empty());
    }
}
