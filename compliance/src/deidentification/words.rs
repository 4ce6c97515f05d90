//! Descriptions cleaned of what identifies: words that are known to be of the clinic stay, all others go.
//!
//! A list of what may stay errs to the safe side; a list of what must go would have to know every name.

use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Words of anatomy, projection, technique and findings that stand in descriptions of radiographs.
const VOCABULARY: &str = include_str!("vocabulary.txt");
/// The longest number that stays: "2 views"; a longer one may be an identifier or a date.
const LONGEST_NUMBER: usize = 1;

/// The words of a text that are known to be of the clinic, in their order; `known` may know others.
/// `None` where none is left.
pub fn cleaned(text: &str, known: &dyn Fn(&str) -> bool) -> Option<String> {
    static WORDS: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    let words = WORDS.get_or_init(|| {
        VOCABULARY
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(str::split_whitespace)
            .collect()
    });
    let kept: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .filter(|word| {
            let lower = word.to_lowercase();
            if word.bytes().all(|byte| byte.is_ascii_digit()) {
                word.len() <= LONGEST_NUMBER
            } else {
                words.contains(lower.as_str()) || known(&lower)
            }
        })
        .collect();
    let says_something = kept.iter().any(|word| word.chars().any(char::is_alphabetic));
    says_something.then(|| kept.join(" "))
}
