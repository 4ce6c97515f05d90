//! The grammar, case by case, and on whatever a keyboard can give.
#![allow(clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Pieces as `text@weight`, weights in two decimals; `|` is a break.
fn read(prompt: &str) -> Vec<String> {
    let pieces = parse(prompt, "text").unwrap();
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text { text, weight } => format!("{text}@{weight:.2}"),
            Piece::Break => "|".to_owned(),
        })
        .collect()
}

#[test]
fn the_grammar_case_by_case() {
    for (prompt, expected) in [
        ("chest radiograph, normal", &["chest radiograph, normal@1.00"][..]),
        ("", &["@1.00"]),
        ("an (effusion) here", &["an @1.00", "effusion@1.10", " here@1.00"]),
        ("((effusion))", &["effusion@1.21"]),
        ("[effusion]", &["effusion@0.91"]),
        ("[[effusion]]", &["effusion@0.83"]),
        ("(effusion:1.3)", &["effusion@1.30"]),
        ("(effusion : 1.3 )", &["effusion @1.30"]),
        ("(effusion:.5)(mass:+2)", &["effusion@0.50", "mass@2.00"]),
        ("(a (b:2) c:1.5)", &["a @1.50", "b@3.00", " c@1.50"]),
        ("(a [b] c)", &["a @1.10", "b@1.00", " c@1.10"]),
        // Pairs of different kinds may cross.
        ("(a [b) c]", &["a @1.10", "b@1.00", " c@0.91"]),
        (r"\(a\) \[b\] \\", &[r"(a) [b] \@1.00"]),
        (r"(\(a\):2)", &["(a)@2.00"]),
        (r"a\b", &[r"a\b@1.00"]),
        // Without a partner a bracket is text.
        ("a) b", &["a) b@1.00"]),
        ("(a b", &["(a b@1.00"]),
        ("((a)", &["(@1.00", "a@1.10"]),
        ("a] [b", &["a] [b@1.00"]),
        ("seen at 12:30) today", &["seen at 12:30) today@1.00"]),
        ("at 12:30, size: 3", &["at 12:30, size: 3@1.00"]),
        ("(ratio: high)", &["ratio: high@1.10"]),
        ("()", &["@1.00"]),
        ("lungs BREAK heart", &["lungs@1.00", "|", "heart@1.00"]),
        ("(lungs BREAK heart:2)", &["lungs@2.00", "|", "heart@2.00"]),
        ("BREAK", &["|"]),
        ("BREAKING, HEARTBREAK, break", &["BREAKING, HEARTBREAK, break@1.00"]),
        ("HEARTBREAK,BREAK,x", &["HEARTBREAK,@1.00", "|", ",x@1.00"]),
        ("胸片（正常）(肺:1.2)", &["胸片（正常）@1.00", "肺@1.20"]),
    ] {
        assert_eq!(read(prompt), expected, "{prompt}");
    }
}

#[test]
fn weights_out_of_range_are_refused_by_the_field() {
    let deep = format!("{}x{}", "[".repeat(33), "]".repeat(33));
    let high = format!("{}x{}", "(".repeat(25), ")".repeat(25));
    let long = "x".repeat(LONGEST_PROMPT + 1);
    for prompt in [
        "(x:11)",
        "(x:-1)",
        "(x:1.2.3)",
        "(x:9e9)(y:99999999999)",
        "((x:5):5)",
        &deep,
        &high,
        &long,
    ] {
        let error = parse(prompt, "negative").unwrap_err();
        assert_eq!(error.field, "negative");
        assert!(error.cause.len() < 200, "an error repeats no input: {error}");
    }
    let largest = format!("(x:1{})", "0".repeat(400));
    assert!(parse(&largest, "text").is_err(), "a number beyond all numbers");
    // Many pairs beside each other are not many within each other.
    assert!(parse(&"(x)".repeat(1000), "text").is_ok());
    // Brackets that never close are text, however many.
    assert_eq!(read(&"(".repeat(LONGEST_PROMPT)).len(), 1);
    assert_eq!(read(&"]".repeat(LONGEST_PROMPT)).len(), 1);
}

/// A text of characters that mean something, and some that do not.
fn wild(random: &mut StdRng) -> String {
    const ALPHABET: [&str; 18] = [
        "(", ")", "[", "]", ":", "\\", ".", "1", "2", "-", " ", "BREAK", "a", "b", "é", "胸", "\n",
        ",",
    ];
    let length = random.random_range(0..40);
    (0..length).map(|_| ALPHABET[random.random_range(0..ALPHABET.len())]).collect()
}

#[test]
fn whatever_is_typed_no_text_is_lost() {
    let mut random = StdRng::seed_from_u64(7);
    let words = |text: &str| -> String {
        text.replace("BREAK", "").chars().filter(|c| c.is_alphabetic()).collect()
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let prompt = wild(&mut random);
        let Ok(pieces) = parse(&prompt, "text") else {
            refused += 1;
            continue;
        };
        read += 1;
        let mut kept = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text { text, weight } => {
                    assert!((0.0..=LARGEST_WEIGHT).contains(weight), "{prompt:?}");
                    kept.push_str(text);
                }
                Piece::Break => kept.push(' '),
            }
        }
        assert_eq!(words(&kept), words(&prompt), "{prompt:?}");
        // What is escaped comes back whole; BREAK alone has no escape.
        let plain = prompt.replace("BREAK", "");
        let expected = vec![Piece::Text { text: plain.clone(), weight: 1.0 }];
        assert_eq!(parse(&escape(&plain), "text").unwrap(), expected, "{plain:?}");
        assert_eq!(literal(&plain), expected);
    }
    assert!(read > 10_000 && refused > 10, "{read} read, {refused} refused");
}

#[test]
fn brackets_that_are_plain_text_are_named() {
    let number = |shown: &str| {
        format!("“{shown}” holds no weight that is read: one is written as in (term:1.3)")
    };
    let alone =
        |shown: &str| format!("“{shown}” has a bracket without its partner: it is plain text");
    for (prompt, expected) in [
        ("(chest:1e9)", vec![number("chest:1e9)")]),
        (
            "(chest:1,3), (a:nan) ((b",
            vec![number("chest:1,3)"), number("a:nan)"), alone("("), alone("(b")],
        ),
        ("a] [b", vec![alone("a]"), alone("[b")]),
        ("seen at 12:30) today", vec![alone("seen at 12:30)")]),
        ("(肺:１.３)", vec![]),
        (&format!("({}", "胸".repeat(40)), vec![alone(&format!("({}", "胸".repeat(24)))]),
        (&format!("{})", "胸".repeat(40)), vec![alone(&format!("{})", "胸".repeat(24)))]),
        // What is emphasis, what is escaped, and what no one takes for a weight.
        (r"(ratio: high), (a:1.3), [b], \(c, (d: 3 of 4), ()", vec![]),
        // What is refused anyway.
        ("(a:99) (b", vec![]),
    ] {
        assert_eq!(plain_brackets(prompt), expected, "{prompt}");
    }
    assert_eq!(plain_brackets(&"(".repeat(1000)).len(), 32);
}
