//! Tokenizers in every form of folder, and prompts with weights and of many tokens.

use candle_core::{Device, Tensor};
use serde_json::Value;
use skiagraph_engine::model::{Bundle, Part, Tokenizer};
use skiagraph_engine::sample::{Emphasis, States, TextOptions, Tower, condition};

use super::{Golden, folder_of};

const TOLERANCE: f32 = 1e-4;

fn json(name: &str) -> Vec<Value> {
    let text = std::fs::read(folder_of("prompts").join(name)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn folders_of_every_form_give_the_tokens_of_transformers() {
    let cases = json("tokens.json");
    assert!(cases.len() >= 50);
    for case in cases {
        let (folder, text) = (case["folder"].as_str().unwrap(), case["text"].as_str().unwrap());
        let mut tokenizer = Tokenizer::open(&folder_of(folder)).unwrap();
        if case["added"].as_bool().unwrap() {
            let words = [("<ward-7>".to_owned(), 3), ("<film>".to_owned(), 1)];
            tokenizer = tokenizer.with_added(&words).unwrap();
        }
        let tokens: Vec<u32> =
            case["tokens"].as_array().unwrap().iter().map(|t| t.as_u64().unwrap() as u32).collect();
        let encoded = tokenizer.encode(text, tokens.len()).unwrap();
        assert_eq!(encoded.tokens, tokens, "{folder}: {text}");
        let whole = case["whole"].as_u64().unwrap() as usize;
        assert_eq!(encoded.left_out, whole.saturating_sub(tokens.len() - 2), "{folder}: {text}");
    }
}

#[test]
fn weighted_prompts_of_many_tokens_are_what_the_formulas_give() {
    let golden = Golden::open("prompts");
    let bundle = Bundle::open(&folder_of("sd1")).unwrap();
    let (text, _) = bundle.text_encoder(Part::TextEncoder, false, &Device::Cpu).unwrap();
    let tokenizer = bundle.tokenizer(Part::TextEncoder).unwrap();
    let encode = |tokens: &Tensor| Ok(States { hidden: text.forward(tokens)?, pooled: None });
    let window = text.config().max_position_embeddings;
    for (number, prompt) in json("prompts.json").iter().enumerate() {
        for comma_backtrack in [20, 0] {
            for (name, emphasis) in
                [("restored", Emphasis::RestoredMean), ("interpolated", Emphasis::Interpolated)]
            {
                let options = TextOptions { emphasis, comma_backtrack, ..TextOptions::default() };
                let tower = Tower { tokenizer: &tokenizer, window, encode: &encode };
                let prompts = [prompt.as_str().unwrap()];
                let ours = condition(&[tower], &prompts, &options, &Device::Cpu).unwrap();
                let name = format!("{number}.{comma_backtrack}.{name}");
                golden.check("sd1", &name, &ours.context, TOLERANCE);
            }
        }
    }
}
