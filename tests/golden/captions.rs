//! The tokenizer, on a vocabulary that it learned itself, against transformers'.

use serde_json::Value;
use skiagraph_engine::model::Tokenizer;

use super::folder_of;

#[test]
fn captions_have_the_tokens_that_transformers_gives_them() {
    let tokenizer = Tokenizer::open(&folder_of("ours/tokenizer")).unwrap();
    let text = std::fs::read_to_string(folder_of("captions.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 10);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let tokens: Vec<u64> = case["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .map(|token| token.as_u64().unwrap())
            .collect();
        let encoded = tokenizer.encode(text, tokens.len()).unwrap();
        let ours: Vec<u64> = encoded.tokens.iter().map(|token| u64::from(*token)).collect();
        assert_eq!(ours, tokens, "{text}");
        let whole = case["whole"].as_u64().unwrap() as usize;
        assert_eq!(encoded.left_out, whole.saturating_sub(tokens.len() - 2), "{text}");
    }
}
