//! De-identification marks in report text.

/// Removes the marks that de-identification leaves in report text: `___` (MIMIC-CXR), `[** … **]`
/// (MIMIC-III) and `XXXX` (Indiana University). Runs of white space become one space.
///
/// Such marks are the strongest triggers of memorisation in models trained on reports
/// (arXiv 2502.07516), so they reach neither a caption nor a prompt.
pub fn strip_marks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[**") {
        kept.push_str(&rest[..start]);
        kept.push(' ');
        // A mark that never closes hides the rest: nobody can say where it was meant to end.
        rest = rest[start..].find("**]").map_or("", |end| &rest[start + end + 3..]);
    }
    kept.push_str(rest);
    kept.split_whitespace().filter_map(without_runs).collect::<Vec<_>>().join(" ")
}

/// A word without its runs of three or more `_`, and of four or more `X`; `None` when only
/// punctuation is left of it.
fn without_runs(word: &str) -> Option<String> {
    let characters: Vec<char> = word.chars().collect();
    let mut kept = String::with_capacity(word.len());
    let mut cut = false;
    let mut index = 0;
    while index < characters.len() {
        let character = characters[index];
        let run = characters[index..].iter().take_while(|c| **c == character).count();
        if (character == '_' && run >= 3) || (character == 'X' && run >= 4) {
            cut = true;
        } else {
            kept.extend(&characters[index..index + run]);
        }
        index += run;
    }
    (!cut || kept.chars().any(char::is_alphanumeric)).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::strip_marks;

    #[test]
    fn marks_go_and_words_stay() {
        for (text, expected) in [
            ("mild edema, ___ lobe", "mild edema, lobe"),
            ("seen by [**Hospital 12**] on [**2101-1-1**].", "seen by on ."),
            ("XXXX comparison XXXXXX. Clear lungs.", "comparison Clear lungs."),
            ("Dr.____ reports", "Dr. reports"),
            ("an [** unclosed name", "an"),
            ("snake_case and XX stay", "snake_case and XX stay"),
            ("", ""),
        ] {
            assert_eq!(strip_marks(text), expected);
        }
    }
}
