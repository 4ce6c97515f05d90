//! How a radiograph looks apart from what it shows: how it was taken and recorded.

use super::findings::normalised;

/// A way of taking or recording a radiograph that can be seen in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Style {
    /// The word in programs: `portable`.
    pub slug: &'static str,
    /// The words in captions.
    pub caption: &'static str,
}

static STYLES: [Style; 6] = [
    Style { slug: "portable", caption: "portable technique" },
    Style { slug: "digital", caption: "digital radiography" },
    Style { slug: "computed", caption: "computed radiography" },
    Style { slug: "film", caption: "digitised film" },
    Style { slug: "low_contrast", caption: "low contrast" },
    Style { slug: "high_contrast", caption: "high contrast" },
];

/// Every style that a prompt may name.
pub fn styles() -> &'static [Style] {
    &STYLES
}

/// The style of a word: its slug, or its words in captions. Case does not matter; `_`, `-` and runs
/// of spaces are one space.
pub fn style(word: &str) -> Option<&'static Style> {
    let word = normalised(word);
    STYLES.iter().find(|style| normalised(style.slug) == word || style.caption == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_finds_its_style() {
        for entry in styles() {
            assert_eq!(style(entry.slug), Some(entry));
            assert_eq!(style(&entry.caption.to_uppercase()), Some(entry));
        }
        assert_eq!(style("baroque"), None);
    }
}
