//! Which words of a text a vocabulary does not know.

use tokenizers::Encoding;

use super::{END, SUFFIX};

/// Words that are named, at most.
const MOST_WORDS: usize = 32;
/// Characters of a word that are repeated.
const LONGEST_WORD: usize = 40;

/// The words of `text` that came out of the vocabulary as nothing that it knows, each once:
///
/// - of which a part has no token but the unknown one,
/// - of which a character fell apart into bytes,
/// - of several characters, none of which the vocabulary joins to another.
///
/// A byte-level vocabulary has a token for everything; these are the words in which its tokens say
/// nothing.
pub(super) fn unknown(
    text: &str,
    encoding: &Encoding,
    unknown: u32,
    added: &dyn Fn(u32) -> bool,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (ids, tokens) = (encoding.get_ids(), encoding.get_tokens());
    let (words, places) = (encoding.get_word_ids(), encoding.get_offsets());
    let mut begin = 0;
    while begin < ids.len() && found.len() < MOST_WORDS {
        let end = begin + words[begin..].iter().take_while(|word| **word == words[begin]).count();
        let end = end.max(begin + 1);
        let (first, last) = (places[begin].0, places[end - 1].1);
        let word = text.get(first..last).unwrap_or_default().trim();
        let lacks = (begin..end).any(|at| ids[at] == unknown && !is_end(text, places[at]));
        let broken = (begin + 1..end).any(|at| places[at].0 < places[at - 1].1);
        let letters = word.chars().nth(1).is_some()
            && word.chars().any(char::is_alphanumeric)
            && tokens[begin..end].iter().all(|token| single(token));
        let known = end == begin + 1 && added(ids[begin]) && !lacks;
        if !known && (lacks || broken || letters) {
            let word: String = word.chars().take(LONGEST_WORD).collect();
            if !word.is_empty() && !found.contains(&word) {
                found.push(word);
            }
        }
        begin = end;
    }
    found
}

/// Whether the token there is the end's own word, written out.
fn is_end(text: &str, (begin, end): (usize, usize)) -> bool {
    text.get(begin..end).is_some_and(|word| word.trim().eq_ignore_ascii_case(END))
}

/// Whether a token stands for one byte.
fn single(token: &str) -> bool {
    let token = token.strip_suffix(SUFFIX).unwrap_or(token);
    token.chars().nth(1).is_none()
}
