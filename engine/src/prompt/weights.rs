//! Emphasis in a prompt: `(term:1.3)`, `((term))`, `[term]` and `BREAK`.
//!
//! The grammar is the one that AUTOMATIC1111's web interface made common:
//!
//! | written | means |
//! |---|---|
//! | `(term)` | × 1.1, and again for every further pair |
//! | `[term]` | ÷ 1.1, and again for every further pair |
//! | `(term:1.3)` | × 1.3 |
//! | `\(` `\)` `\[` `\]` `\\` | the character itself |
//! | `BREAK` | what follows begins a new chunk of the text encoder's window |
//!
//! Pairs within pairs multiply. A bracket without its partner is text; so is a backslash before
//! any other character. (The original closes such brackets at the end of the prompt: a forgotten
//! bracket then weighs the whole rest, and nobody sees it.)

use super::PromptError;

/// Characters of a prompt in this grammar: free text of [`LONGEST_TEXT`](super::LONGEST_TEXT), and
/// as much again for the sentence before it.
pub const LONGEST_PROMPT: usize = 2 * super::LONGEST_TEXT;
/// The largest weight: far beyond what any model answers to with an image.
pub const LARGEST_WEIGHT: f64 = 10.0;
/// What one pair of brackets does.
const STEP: f64 = 1.1;
/// Pairs within pairs.
const DEEPEST: usize = 32;
/// Brackets that are named, at most.
const MOST_NAMED: usize = 32;
/// Characters beside a bracket that name it.
const SHOWN: usize = 24;

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text, and how strongly it counts: 1 is as written, never below 0 nor above
    /// [`LARGEST_WEIGHT`].
    Text {
        /// The text, without brackets, weights and escapes.
        text: String,
        /// The product of all pairs around it.
        weight: f64,
    },
    /// What follows begins a new chunk.
    Break,
}

impl Piece {
    fn plain(text: &str) -> Self {
        Self::Text { text: text.to_owned(), weight: 1.0 }
    }
}

/// A prompt as text without emphasis: brackets are characters and `BREAK` is a word.
pub fn literal(prompt: &str) -> Vec<Piece> {
    vec![Piece::plain(prompt)]
}

/// Writes `text` so that [`parse`] gives it back as it is; only the word `BREAK` keeps its meaning.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '(' | ')' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// What stands in a prompt.
enum Mark<'a> {
    Text(&'a str),
    Round,
    Square,
    /// `)`, or `:1.3)` with its number.
    RoundEnd(&'a str, Option<f64>),
    SquareEnd,
}

/// Reads a prompt. Neighbours of equal weight are one piece: a prompt without emphasis is one piece
/// that holds exactly the prompt.
///
/// # Errors
/// [`PromptError`] under the name `field`, without repeating the prompt: longer than
/// [`LONGEST_PROMPT`] characters, more than 32 pairs within each other, or a weight that is no
/// number between 0 and [`LARGEST_WEIGHT`], alone or multiplied with those around it.
pub fn parse(prompt: &str, field: &'static str) -> Result<Vec<Piece>, PromptError> {
    let fault = |cause: String| PromptError { field, cause };
    // Counted before any work: a prompt may be megabytes long.
    if prompt.chars().nth(LONGEST_PROMPT).is_some() {
        return Err(fault(format!("longer than {LONGEST_PROMPT} characters")));
    }
    let marks = marks(prompt);
    let factors = factors(&marks).map_err(fault)?;
    // The factors of the pairs that are open here, by the place of their opening bracket.
    let mut open: Vec<(usize, f64)> = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        match (mark, factors[index]) {
            (Mark::Text(text), _) => {
                let weight = weight(&open).map_err(fault)?;
                split_breaks(text, weight, &mut pieces);
            }
            (Mark::Round | Mark::Square, Some(Partner { factor, .. })) => {
                open.push((index, factor));
            }
            (Mark::RoundEnd(..) | Mark::SquareEnd, Some(Partner { place, .. })) => {
                open.retain(|(opened, _)| *opened != place);
            }
            (Mark::Round, None) => push(&mut pieces, "(", weight(&open).map_err(fault)?),
            (Mark::Square, None) => push(&mut pieces, "[", weight(&open).map_err(fault)?),
            (Mark::RoundEnd(text, _), None) => {
                push(&mut pieces, text, weight(&open).map_err(fault)?);
            }
            (Mark::SquareEnd, None) => push(&mut pieces, "]", weight(&open).map_err(fault)?),
        }
    }
    if pieces.is_empty() {
        pieces.push(Piece::plain(""));
    }
    Ok(pieces)
}

/// Brackets of a prompt that look like emphasis and are plain text, each in a sentence with what stands beside
/// it: those without a partner, and those that end in what is a number elsewhere. 32 at most; none of a prompt
/// that [`parse`] refuses.
pub fn plain_brackets(prompt: &str) -> Vec<String> {
    let marks = marks(prompt);
    let Ok(partners) = factors(&marks) else { return Vec::new() };
    let text = |place: Option<usize>| match place.and_then(|place| marks.get(place)) {
        Some(Mark::Text(text)) => *text,
        Some(_) | None => "",
    };
    let alone =
        |shown: String| format!("“{shown}” has a bracket without its partner: it is plain text");
    let found = marks.iter().enumerate().filter_map(|(place, mark)| {
        let (before, after) = (text(place.checked_sub(1)), text(Some(place + 1)));
        match (mark, partners[place]) {
            (Mark::Round, None) => Some(alone(format!("({}", first(after)))),
            (Mark::Square, None) => Some(alone(format!("[{}", first(after)))),
            (Mark::RoundEnd(end, _), None) => Some(alone(format!("{}{end}", last(before)))),
            (Mark::SquareEnd, None) => Some(alone(format!("{}]", last(before)))),
            (Mark::RoundEnd(_, None), Some(_)) if ends_in_a_number(before) => Some(format!(
                "“{})” holds no weight that is read: one is written as in (term:1.3)",
                last(before)
            )),
            (Mark::Text(_), _) | (_, Some(_)) => None,
        }
    });
    found.take(MOST_NAMED).collect()
}

/// Whether `text` ends in a colon and what a person may take for a number: `1e9`, `1,3`, `nan`.
fn ends_in_a_number(text: &str) -> bool {
    let Some((_, number)) = text.rsplit_once(':') else { return false };
    let number = number.trim().trim_start_matches(['+', '-']).to_lowercase();
    let digits = number.trim_start_matches(['.', ',']);
    let begins = digits.starts_with(|c: char| c.is_ascii_digit());
    (begins && !number.contains(char::is_whitespace))
        || ["nan", "inf", "infinity"].contains(&number.as_str())
}

/// The first characters of a text.
fn first(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end])
}

/// The last characters of a text.
fn last(text: &str) -> &str {
    text.char_indices().rev().nth(SHOWN - 1).map_or(text, |(begin, _)| &text[begin..])
}

/// Where the other bracket of a pair stands, and what the pair multiplies by.
#[derive(Clone, Copy)]
struct Partner {
    place: usize,
    factor: f64,
}

/// The partner of every bracket that has one. Round and square brackets pair among their own kind.
fn factors(marks: &[Mark]) -> Result<Vec<Option<Partner>>, String> {
    let mut partners = vec![None; marks.len()];
    let (mut round, mut square): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (place, mark) in marks.iter().enumerate() {
        let (opened, factor) = match mark {
            Mark::Text(_) => continue,
            Mark::Round => {
                round.push(place);
                continue;
            }
            Mark::Square => {
                square.push(place);
                continue;
            }
            Mark::RoundEnd(_, weight) => (round.pop(), weight.unwrap_or(STEP)),
            Mark::SquareEnd => (square.pop(), 1.0 / STEP),
        };
        let Some(opened) = opened else { continue };
        if !(0.0..=LARGEST_WEIGHT).contains(&factor) {
            return Err(range_fault());
        }
        partners[opened] = Some(Partner { place, factor });
        partners[place] = Some(Partner { place: opened, factor });
    }
    Ok(partners)
}

fn range_fault() -> String {
    format!(
        "a weight in brackets must lie between 0 and {LARGEST_WEIGHT}, alone and multiplied with \
         those around it; brackets that mean nothing of the kind are written \\( and \\)"
    )
}

/// The product of the open pairs.
fn weight(open: &[(usize, f64)]) -> Result<f64, String> {
    if open.len() > DEEPEST {
        return Err(format!("more than {DEEPEST} pairs of brackets within each other"));
    }
    let weight: f64 = open.iter().map(|(_, factor)| factor).product();
    if (0.0..=LARGEST_WEIGHT).contains(&weight) { Ok(weight) } else { Err(range_fault()) }
}

/// Cuts a prompt into brackets and what stands between them.
fn marks(prompt: &str) -> Vec<Mark<'_>> {
    let mut marks = Vec::new();
    let mut begin = 0; // of the text not yet taken
    let mut at = 0;
    let bytes = prompt.as_bytes();
    // Every byte looked for is ASCII: none stands within a longer character.
    while let Some(byte) = bytes.get(at) {
        let (mark, length) = match byte {
            b'\\' if matches!(bytes.get(at + 1), Some(b'(' | b')' | b'[' | b']' | b'\\')) => {
                // The character after the backslash is text, and never a bracket.
                (Mark::Text(&prompt[at + 1..at + 2]), 2)
            }
            b'(' => (Mark::Round, 1),
            b'[' => (Mark::Square, 1),
            b']' => (Mark::SquareEnd, 1),
            b')' => (Mark::RoundEnd(&prompt[at..=at], None), 1),
            b':' => {
                if let Some((length, weight)) = weight_end(&bytes[at..]) {
                    (Mark::RoundEnd(&prompt[at..at + length], Some(weight)), length)
                } else {
                    at += 1;
                    continue;
                }
            }
            _ => {
                at += 1;
                continue;
            }
        };
        if begin < at {
            marks.push(Mark::Text(&prompt[begin..at]));
        }
        marks.push(mark);
        at += length;
        begin = at;
    }
    if begin < prompt.len() {
        marks.push(Mark::Text(&prompt[begin..]));
    }
    marks
}

/// `: 1.3 )` at the beginning of `bytes`: its length and its number. What has the form of a number
/// and is none, such as `1.2.3`, weighs NaN, and is refused where it closes a pair.
fn weight_end(bytes: &[u8]) -> Option<(usize, f64)> {
    let spaces = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let begin = 1 + spaces(1);
    let sign = usize::from(matches!(bytes.get(begin), Some(b'+' | b'-')));
    let digits =
        bytes[begin + sign..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let end = begin + sign + digits;
    let close = end + spaces(end);
    if digits == 0 || bytes.get(close) != Some(&b')') {
        return None;
    }
    let number = std::str::from_utf8(&bytes[begin..end]).ok()?.parse().unwrap_or(f64::NAN);
    Some((close + 1, number))
}

/// Pushes text, and a break for each word `BREAK` in it, with the spaces around it.
fn split_breaks(text: &str, weight: f64, pieces: &mut Vec<Piece>) {
    const WORD: &str = "BREAK";
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    let mut search = 0;
    while let Some(found) = rest[search..].find(WORD).map(|found| search + found) {
        let (before, after) = (&rest[..found], &rest[found + WORD.len()..]);
        if before.chars().next_back().is_some_and(in_word) || after.starts_with(in_word) {
            search = found + WORD.len();
            continue;
        }
        push(pieces, before.trim_end(), weight);
        pieces.push(Piece::Break);
        rest = after.trim_start();
        search = 0;
    }
    push(pieces, rest, weight);
}

/// Adds text, to the piece before it where that weighs the same.
fn push(pieces: &mut Vec<Piece>, more: &str, new_weight: f64) {
    if more.is_empty() {
        return;
    }
    match pieces.last_mut() {
        // Products of the same factors in the same order: equal weights are equal bit by bit.
        Some(Piece::Text { text, weight }) if weight.to_bits() == new_weight.to_bits() => {
            text.push_str(more);
        }
        Some(Piece::Text { .. } | Piece::Break) | None => {
            pieces.push(Piece::Text { text: more.to_owned(), weight: new_weight });
        }
    }
}

#[cfg(test)]
mod tests;
