//! View positions: the codes of View Position (0018,5101) that the platform knows.

/// A way the beam passes through the chest.
#[derive(Debug, PartialEq, Eq)]
pub struct ViewPosition {
    /// The code of View Position (0018,5101), PS3.3 C.8.1.1.
    pub code: &'static str,
    /// The words in a caption.
    pub caption: &'static str,
    /// SNOMED CT code of the projection (PS3.16 CID 4010), with its meaning.
    pub snomed: (&'static str, &'static str),
    /// Patient Orientation (0020,0020): towards the right edge, towards the bottom.
    pub orientation: [&'static str; 2],
}

const VIEWS: [ViewPosition; 4] = [
    ViewPosition {
        code: "AP",
        caption: "AP view",
        snomed: ("399348003", "antero-posterior"),
        orientation: ["L", "F"],
    },
    ViewPosition {
        code: "PA",
        caption: "PA view",
        snomed: ("272479007", "postero-anterior"),
        orientation: ["L", "F"],
    },
    ViewPosition {
        code: "LL",
        caption: "left lateral view",
        snomed: ("399173006", "left lateral"),
        orientation: ["A", "F"],
    },
    ViewPosition {
        code: "RL",
        caption: "right lateral view",
        snomed: ("399198007", "right lateral"),
        orientation: ["P", "F"],
    },
];

/// Every view position that a prompt may name.
pub fn view_positions() -> &'static [ViewPosition] {
    &VIEWS
}

/// The view position of a code; case and surrounding space do not matter.
pub fn view_position(code: &str) -> Option<&'static ViewPosition> {
    let code = code.trim();
    VIEWS.iter().find(|view| view.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_cid_4010() {
        // From pydicom 3.0's concept dictionary, which is made from PS3.16.
        for (code, snomed) in [
            ("AP", ("399348003", "antero-posterior")),
            ("PA", ("272479007", "postero-anterior")),
            ("LL", ("399173006", "left lateral")),
            ("rl ", ("399198007", "right lateral")),
        ] {
            assert_eq!(view_position(code).map(|view| view.snomed), Some(snomed));
        }
        assert_eq!(view_position("OBLIQUE"), None);
    }
}
