//! A transcript as words.

use std::ops::Range;

/// A word, or a Chinese character, and where it stands.
pub(super) struct Word {
    /// In lower case.
    pub(super) text: String,
    /// Its bytes in the transcript.
    pub(super) place: Range<usize>,
    /// The marks between the word before and this one.
    pub(super) pause: Pause,
}

/// How much the marks before a word set it apart from the word before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pause {
    /// Not at all, or as parts of one word.
    None,
    /// As the next of a list, or another clause.
    Comma,
    /// As another sentence.
    Sentence,
}

/// Words in lower case; every Chinese character is one of its own.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open = false;
    let mut pause = Pause::Sentence;
    let mut characters = text.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        let place = index..index + character.len_utf8();
        let chinese = is_chinese(character);
        let inside = open && matches!(character, '\'' | '’');
        if !chinese && !character.is_alphanumeric() && !inside {
            open = false;
            // A point inside of a word is none that ends a sentence: "A.P.", "2.5".
            let next = characters.peek().is_some_and(|(_, next)| next.is_alphanumeric());
            if character != '.' || !next {
                pause = pause.max(pause_of(character));
            }
            continue;
        }
        match words.last_mut().filter(|_| open && !chinese) {
            Some(word) => {
                let apostrophe = if character == '’' { '\'' } else { character };
                word.text.extend(apostrophe.to_lowercase());
                word.place.end = place.end;
            }
            None => {
                words.push(Word { text: character.to_lowercase().collect(), place, pause });
            }
        }
        pause = Pause::None;
        open = !chinese;
    }
    words
}

fn is_chinese(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9FFF}')
}

fn pause_of(mark: char) -> Pause {
    match mark {
        '.' | ';' | '!' | '?' | '。' | '；' | '！' | '？' => Pause::Sentence,
        ',' | '，' | ':' | '：' => Pause::Comma,
        // The enumeration comma joins: what is denied before it is denied after it.
        _ => Pause::None,
    }
}
