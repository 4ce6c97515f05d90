//! Folders of every form, added words, and what is said of words that are not known.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn trained() -> Tokenizer {
    let texts = ["chest radiograph, normal", "chest radiograph, pleural effusion"];
    let texts: Vec<String> = texts.repeat(3).into_iter().map(str::to_owned).collect();
    Tokenizer::train(&texts, 800).unwrap()
}

/// A folder of the trained tokenizer.
fn saved() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    trained().save(folder.path(), 32).unwrap();
    folder
}

fn set(folder: &Path, file: &str, value: &Value) {
    std::fs::write(folder.join(file), value.to_string()).unwrap();
}

fn read(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap()
}

/// What `open` says of the folder.
fn refused(folder: &Path) -> String {
    Tokenizer::open(folder).err().unwrap().to_string()
}

/// `tokenizer.json` of the folder's vocabulary, in the form of transformers' version 4 or 5.
fn whole(folder: &Path, version: u8) -> Value {
    let merges = std::fs::read_to_string(folder.join("merges.txt")).unwrap();
    let lines = merges.lines().filter(|line| !line.starts_with("#version"));
    let merges: Vec<Value> = lines
        .map(|line| match version {
            4 => json!(line),
            _ => json!(line.split(' ').collect::<Vec<_>>()),
        })
        .collect();
    json!({
        "added_tokens": [
            { "id": 0, "content": START, "special": true, "normalized": false },
            { "id": 1, "content": END, "special": true, "normalized": false },
        ],
        "model": {
            "type": "BPE", "unk_token": END, "end_of_word_suffix": SUFFIX, "merges": merges,
            "vocab": read(folder, "vocab.json"),
        },
    })
}

#[test]
fn one_file_reads_as_two() {
    let folder = saved();
    let two = Tokenizer::open(folder.path()).unwrap();
    let files = [4, 5].map(|version| whole(folder.path(), version));
    std::fs::remove_file(folder.path().join("merges.txt")).unwrap();
    assert!(refused(folder.path()).contains("merges.txt"));
    for file in &files {
        set(folder.path(), "tokenizer.json", file);
        let one = Tokenizer::open(folder.path()).unwrap();
        for text in ["chest radiograph, pleural effusion", "胸片 ß!", ""] {
            assert_eq!(one.encode(text, 32).unwrap(), two.encode(text, 32).unwrap());
        }
    }
    for (key, value, names) in [
        ("type", json!("Unigram"), "model.type"),
        ("end_of_word_suffix", json!(null), "end_of_word_suffix"),
        ("merges", json!(["together"]), "model.merges: entry 1"),
        ("merges", json!(["no such"]), "tokenizer.json"),
        ("vocab", json!({}), "tokenizer.json"),
        ("vocab", json!([1]), "tokenizer.json"),
    ] {
        let mut file = files[1].clone();
        file["model"][key] = value;
        set(folder.path(), "tokenizer.json", &file);
        let error = refused(folder.path());
        assert!(error.contains(names), "{key}: {error}");
    }
}

#[test]
fn padding_is_what_the_folder_names() {
    let folder = saved();
    let plain = Tokenizer::open(folder.path()).unwrap();
    assert_eq!(plain.padding_token(), plain.end_token());
    let mark = plain.inner.token_to_id("!").unwrap();
    // The older file has the last word, as in Stable Diffusion 2.
    set(folder.path(), "special_tokens_map.json", &json!({ "pad_token": "!" }));
    let padded = Tokenizer::open(folder.path()).unwrap();
    assert_eq!(padded.encode("", 5).unwrap().tokens, [0, 1, mark, mark, mark]);
    // As a token with a role it is found in texts too.
    assert_eq!(padded.encode("!", 3).unwrap().tokens, [0, mark, 1]);
    assert_ne!(plain.encode("!", 3).unwrap().tokens, [0, mark, 1]);
    set(folder.path(), "special_tokens_map.json", &json!({ "pad_token": "<nothing>" }));
    assert!(refused(folder.path()).contains("<nothing>"));
}

#[test]
fn the_folders_added_tokens_are_found() {
    let folder = saved();
    let next = Tokenizer::open(folder.path()).unwrap().vocabulary_size() as u32;
    set(folder.path(), "added_tokens.json", &json!({ "<ward>": next }));
    let tokens = Tokenizer::open(folder.path()).unwrap().encode("a <WARD>", 8).unwrap().tokens;
    assert!(tokens.contains(&next));
    set(folder.path(), "added_tokens.json", &json!({ "<ward>": next + 5 }));
    assert!(refused(folder.path()).contains("does not follow"));
    // The newer form, and no other file beside it.
    let mut config = read(folder.path(), "tokenizer_config.json");
    config["added_tokens_decoder"] = json!({ next.to_string(): { "content": "<icu>" } });
    set(folder.path(), "tokenizer_config.json", &config);
    let tokens = Tokenizer::open(folder.path()).unwrap().encode("<icu>", 8).unwrap().tokens;
    assert_eq!(tokens[1], next);
    config["added_tokens_decoder"] = json!({ "x": { "content": "<icu>" } });
    set(folder.path(), "tokenizer_config.json", &config);
    assert!(refused(folder.path()).contains("added_tokens_decoder"));
}

#[test]
fn added_words_have_as_many_tokens_as_vectors() {
    let base = trained();
    let next = base.largest_token() + 1;
    let words = [("<ward-7>".to_owned(), 3), ("<film>".to_owned(), 1)];
    let with = base.with_added(&words).unwrap();
    let encoded = with.encode("chest <Ward-7>,<film>", 12).unwrap();
    let chest = base.encode("chest", 3).unwrap().tokens[1];
    let comma = base.comma_token().unwrap();
    assert_eq!(encoded.tokens[..8], [0, chest, next, next + 1, next + 2, comma, next + 3, 1]);
    assert!(encoded.unknown.is_empty());
    assert_eq!(with.units("<ward-7>").unwrap().units[0].tokens(), next..next + 3);
    assert_eq!(with.largest_token(), next + 3);
    assert_eq!(base.largest_token() + 1, next, "the base is as it was");
    // The rest of a word's vectors that the window cuts off counts.
    assert_eq!(with.encode("<ward-7>", 4).unwrap().left_out, 1);
    for (word, vectors, cause) in [
        ("", 1, "characters"),
        ("two words", 1, "no space"),
        ("<new>", 0, "vectors"),
        ("<new>", 76, "vectors"),
        ("<FILM>", 1, "already"),
        (END, 1, "already"),
        (&"x".repeat(101), 1, "characters"),
    ] {
        let error = with.with_added(&[(word.to_owned(), vectors)]).err().unwrap().to_string();
        assert!(error.contains("added word 1") && error.contains(cause), "{error}");
    }
}

#[test]
fn words_outside_the_vocabulary_are_named() {
    let tokenizer = trained();
    let unknown = |text: &str| tokenizer.encode(text, 64).unwrap().unknown;
    assert!(unknown("Chest   radiograph, normal: pleural effusion 3 (a)!").is_empty());
    assert_eq!(unknown("chest 胸片 zebra, zebra ß"), ["胸片", "zebra", "ß"]);
    assert!(unknown(END).is_empty() && unknown("").is_empty() && unknown("...").is_empty());
    let many: Vec<String> = (0..100).map(|number| format!("胸{number}")).collect();
    assert!(unknown(&many.join(" ")).len() <= 32);
    assert!(unknown(&"胸".repeat(500))[0].chars().count() <= 40);
}

#[test]
fn what_a_vocabulary_lacks_is_its_unknown_token() {
    let folder = tempfile::tempdir().unwrap();
    let vocabulary = json!({ START: 0, END: 1, "a": 2, "a</w>": 3 });
    set(folder.path(), "vocab.json", &vocabulary);
    std::fs::write(folder.path().join("merges.txt"), "#version: 0.2\n").unwrap();
    let encoded = Tokenizer::open(folder.path()).unwrap().encode("a b a", 8).unwrap();
    assert_eq!(encoded.tokens, [0, 3, 1, 3, 1, 1, 1, 1]);
    assert_eq!(encoded.unknown, ["b"]);
}

#[test]
fn what_lies_beyond_the_window_is_told() {
    let tokenizer = trained();
    let encoded = tokenizer.encode("chest chest radiograph, normal", 4).unwrap();
    assert_eq!((encoded.left_out, encoded.beyond.as_str()), (3, "radiograph, normal"));
    let whole = tokenizer.encode("chest", 4).unwrap();
    assert_eq!((whole.left_out, whole.beyond.as_str()), (0, ""));
    for length in 0..3 {
        assert_eq!(tokenizer.encode("chest", length).unwrap().tokens.len(), length);
    }
}
