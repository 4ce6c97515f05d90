//! Whom something trained is owed to: licence and attribution of all that went into it.

use serde::{Deserialize, Deserializer};

/// Stands between the licences of several sources in one line.
const BETWEEN: &str = "; ";

/// Licences and attributions, each once, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owed {
    licences: Vec<String>,
    attribution: Vec<String>,
}

impl Owed {
    /// What one more source is owed: its licence, which may be several in one line, and whom it credits.
    #[must_use]
    pub fn and<T: AsRef<str>>(mut self, licence: &str, attribution: &[T]) -> Self {
        for one in licence.split(BETWEEN) {
            add(&mut self.licences, one);
        }
        for one in attribution {
            add(&mut self.attribution, one.as_ref());
        }
        self
    }

    /// Every licence, in one line.
    pub fn licence(&self) -> String {
        self.licences.join(BETWEEN)
    }

    /// Everybody who is credited.
    pub fn attribution(&self) -> Vec<String> {
        self.attribution.clone()
    }
}

fn add(all: &mut Vec<String>, one: &str) {
    let one = one.trim();
    if !one.is_empty() && !all.iter().any(|other| other == one) {
        all.push(one.to_owned());
    }
}

/// Reads a list of credits, or the single one of a card from before there were several.
pub fn credits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Credits {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Credits::deserialize(deserializer)? {
        Credits::One(one) if one.is_empty() => Vec::new(),
        Credits::One(one) => vec![one],
        Credits::Several(several) => several,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_named_once_and_in_its_order() {
        let owed = Owed::default()
            .and("CC BY 4.0; no restriction on use", &["children: A", "adults: B"])
            .and("no restriction on use", &["adults: B"])
            .and("", &["", " "])
            .and("MIT", &["C".to_owned()]);
        assert_eq!(owed.licence(), "CC BY 4.0; no restriction on use; MIT");
        assert_eq!(owed.attribution(), ["children: A", "adults: B", "C"]);
        assert_eq!(Owed::default().licence(), "");
    }
}
