//! What is done to an attribute (PS3.15 Table E.1-1a).

/// An action of the table. Combined ones (`X/Z/D`) are resolved by [`Action::resolve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// D: replaced by a dummy value that fits the representation.
    Dummy,
    /// Z: replaced by no value, or by a dummy.
    Empty,
    /// X: removed.
    Remove,
    /// K: kept; the items of a sequence are still treated each by its rules.
    Keep,
    /// C: cleaned of what identifies, or treated as without the option where that cannot be done.
    Clean,
    /// U: replaced by a UID that is the same wherever the old one stands.
    Uid,
}

/// The Type of an attribute in an object's class (PS3.5 7.4), as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// 1 or 1C: present with a value.
    Valued,
    /// 2 or 2C: present, perhaps without a value.
    Present,
    /// 3, or not an attribute of the class at all.
    Optional,
    /// Not known, as within the items of sequences.
    Unknown,
}

impl Action {
    /// The letter in the table.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Dummy => "D",
            Self::Empty => "Z",
            Self::Remove => "X",
            Self::Keep => "K",
            Self::Clean => "C",
            Self::Uid => "U",
        }
    }

    pub(super) fn of_letter(letter: &str) -> Option<Self> {
        [Self::Dummy, Self::Empty, Self::Remove, Self::Keep, Self::Clean, Self::Uid]
            .into_iter()
            .find(|action| action.letter() == letter.trim_end_matches('*'))
    }

    /// Which of combined actions is taken: the first that the attribute's Type allows (PS3.15 E.1,
    /// Table E.1-1a). Where the Type is not known it is the last, which fits every Type and keeps as
    /// little of the value as the others do.
    pub(super) fn resolve(combined: &[Self], of: AttributeType) -> Option<Self> {
        let last = combined.last().copied();
        match of {
            AttributeType::Optional => combined.first().copied(),
            AttributeType::Present => {
                combined.iter().copied().find(|action| *action == Self::Empty).or(last)
            }
            AttributeType::Valued | AttributeType::Unknown => last,
        }
    }
}
