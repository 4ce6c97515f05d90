//! Networks against golden values.
#![allow(clippy::unwrap_used)]

mod kept;
mod networks;
mod number_types;
mod tape;

use super::Tokenizer;

#[test]
fn the_same_texts_give_the_same_vocabulary() {
    let texts: Vec<String> =
        ["chest radiograph, AP view, child, normal", "pleural effusion, edema"]
            .map(str::to_owned)
            .to_vec();
    let files = |_: usize| {
        let folder = tempfile::tempdir().unwrap();
        Tokenizer::train(&texts, 700).unwrap().save(folder.path(), 32).unwrap();
        ["vocab.json", "merges.txt"]
            .map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap())
    };
    let [vocabulary, merges] = files(0);
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for turn in 1..4 {
        let [other, other_merges] = files(turn);
        assert_eq!(parsed(&vocabulary), parsed(&other));
        assert_eq!(merges, other_merges);
    }
}

#[test]
fn a_text_fills_the_window_and_what_does_not_fit_is_counted() {
    let tokenizer = Tokenizer::train(&vec!["chest radiograph, normal".to_owned(); 3], 700).unwrap();
    let short = tokenizer.encode("  Chest   RADIOGRAPH ", 8).unwrap();
    assert_eq!((short.tokens.len(), short.left_out), (8, 0));
    assert_eq!(short.tokens[0] + 1, tokenizer.end_token(), "start, then end, lead the vocabulary");
    assert_eq!(short.tokens[1..3], tokenizer.encode("chest radiograph", 8).unwrap().tokens[1..3]);
    assert!(short.tokens[3..].iter().all(|token| *token == tokenizer.end_token()));
    let long = tokenizer.encode("chest ".repeat(20).as_str(), 8).unwrap();
    assert_eq!((long.tokens.len(), long.left_out), (8, 14));
    // Any byte is some token: nothing is unknown.
    assert!(tokenizer.encode("胸片 ß", 16).unwrap().tokens[1] > tokenizer.end_token());
}
