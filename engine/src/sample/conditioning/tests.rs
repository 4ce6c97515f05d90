//! Chunks, weights, and that a plain prompt stays what it was.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use candle_core::DType;

use super::*;
use crate::model::{Bundle, Part, TextEncoder, write_tiny};

const WINDOW: usize = 32;

struct Desk {
    _folder: tempfile::TempDir,
    tokenizer: Tokenizer,
    text: TextEncoder,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let texts = vec!["chest radiograph, normal, effusion edema mass".to_owned(); 3];
        write_tiny(folder.path(), &texts, 3).unwrap();
        let bundle = Bundle::open(folder.path()).unwrap();
        let (text, _) = bundle.text_encoder(Part::TextEncoder, false, &Device::Cpu).unwrap();
        Self { tokenizer: bundle.tokenizer(Part::TextEncoder).unwrap(), text, _folder: folder }
    }

    fn condition(&self, prompts: &[&str], options: &TextOptions) -> Conditioning {
        let encode = |tokens: &Tensor| {
            let hidden = self.text.forward(tokens)?;
            Ok(States { pooled: Some(hidden.narrow(1, 0, 1)?.squeeze(1)?), hidden })
        };
        let tower = Tower { tokenizer: &self.tokenizer, window: WINDOW, encode: &encode };
        condition(&[tower], prompts, options, &Device::Cpu).unwrap()
    }

    fn context(&self, prompt: &str, emphasis: Emphasis) -> Vec<f32> {
        let options = TextOptions { emphasis, ..TextOptions::default() };
        values(&self.condition(&[prompt], &options).context)
    }

    fn chunks(&self, prompt: &str, options: &TextOptions) -> Chunked {
        chunks(&self.tokenizer, prompt, WINDOW, options).unwrap()
    }

    /// The text's tokens of every chunk.
    fn bodies(&self, chunked: &Chunked) -> Vec<Vec<u32>> {
        let end = self.tokenizer.end_token();
        let body = |chunk: &Chunk| {
            let text = chunk.tokens.iter().skip(1).copied();
            text.take_while(|token| *token != end).collect()
        };
        chunked.chunks.iter().map(body).collect()
    }

    fn word(&self, word: &str) -> u32 {
        self.tokenizer.units(word).unwrap().units[0].first
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_plain_prompt_of_one_chunk_is_what_the_encoder_gives() {
    let desk = Desk::new();
    for prompts in [&["chest radiograph, normal"][..], &["", "chest, 胸片: edema"]] {
        let tokens: Vec<u32> = prompts
            .iter()
            .flat_map(|prompt| desk.tokenizer.encode(prompt, WINDOW).unwrap().tokens)
            .collect();
        let tokens = Tensor::from_vec(tokens, (prompts.len(), WINDOW), &Device::Cpu).unwrap();
        let plain = values(&desk.text.forward(&tokens).unwrap());
        for emphasis in [Emphasis::Literal, Emphasis::RestoredMean, Emphasis::Interpolated] {
            let options = TextOptions { emphasis, ..TextOptions::default() };
            assert_eq!(values(&desk.condition(prompts, &options).context), plain);
        }
        assert_eq!(values(&desk.condition(prompts, &TextOptions::plain()).context), plain);
    }
}

#[test]
fn a_full_chunk_is_cut_behind_its_last_comma() {
    let desk = Desk::new();
    let options = TextOptions::default();
    let (mass, edema, comma) = (desk.word("mass"), desk.word("edema"), desk.word(","));
    // 30 places: 25 × mass, comma, 6 × edema.
    let prompt = format!("{},{}", "mass ".repeat(25), " edema".repeat(6));
    let chunked = desk.chunks(&prompt, &options);
    let mut first = vec![mass; 25];
    first.push(comma);
    assert_eq!(desk.bodies(&chunked), [first, vec![edema; 6]]);
    assert!(chunked.chunks.iter().all(|chunk| chunk.tokens.len() == WINDOW));
    // Without commas, or with the rule switched off, the chunk is filled.
    let hard = TextOptions { comma_backtrack: 0, ..options.clone() };
    let lengths =
        |chunked: &Chunked| -> Vec<usize> { desk.bodies(chunked).iter().map(Vec::len).collect() };
    assert_eq!(lengths(&desk.chunks(&prompt, &hard)), [30, 2]);
    assert_eq!(lengths(&desk.chunks(&"mass ".repeat(61), &options)), [30, 30, 1]);
    // A comma too far back is none.
    let far = format!("mass,{}", " edema".repeat(30));
    assert_eq!(lengths(&desk.chunks(&far, &options)), [30, 2]);
    // A comma that comes when the chunk is full begins the next.
    let after = format!("{},mass", "mass ".repeat(30));
    assert_eq!(lengths(&desk.chunks(&after, &options)), [30, 2]);
    assert_eq!(lengths(&desk.chunks("mass BREAK edema mass", &options)), [1, 2]);
    assert_eq!(lengths(&desk.chunks("", &options)), [0]);
    assert_eq!(lengths(&desk.chunks("mass BREAK BREAK mass", &options)), [1, 0, 1]);
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let desk = Desk::new();
    let two = TextOptions { most_chunks: 2, ..TextOptions::default() };
    let chunked = desk.chunks(&format!("{}edema zebra", "mass ".repeat(60)), &two);
    assert_eq!(chunked.chunks.len(), 2);
    assert_eq!(chunked.notes.beyond, "edema zebra");
    assert_eq!(chunked.notes.unknown, ["zebra"]);
    assert!(chunked.notes.left_out > 2);
    // One window without emphasis is what the tokenizer makes of it.
    let text = format!("({}:2) BREAK x", "mass, ".repeat(40));
    let plain = desk.chunks(&text, &TextOptions::plain());
    let encoded = desk.tokenizer.encode(&text, WINDOW).unwrap();
    assert_eq!(plain.chunks[0].tokens, encoded.tokens);
    assert_eq!((plain.notes.left_out, plain.notes.beyond), (encoded.left_out, encoded.beyond));
    assert!(plain.chunks[0].weights.iter().all(|weight| *weight == 1.0));
    let many = "BREAK ".repeat(600);
    assert_eq!(desk.chunks(&many, &TextOptions::default()).chunks.len(), 15);
    assert!(chunks(&desk.tokenizer, "x", 2, &TextOptions::default()).is_err());
}

#[test]
fn an_added_word_is_never_torn() {
    let desk = Desk::new();
    let tokenizer =
        desk.tokenizer.with_added(&[("<ward>".into(), 4), ("<long>".into(), 31)]).unwrap();
    let of = |prompt: &str| chunks(&tokenizer, prompt, WINDOW, &TextOptions::default()).unwrap();
    let chunked = of(&format!("{}(<ward>:1.5)", "mass ".repeat(28)));
    assert_eq!(chunked.chunks.len(), 2);
    assert_eq!(chunked.chunks[1].weights[..6], [1.0, 1.5, 1.5, 1.5, 1.5, 1.0]);
    let chunked = of("mass <long> mass");
    assert_eq!(chunked.notes.left_out, 32, "what no window holds is left out, and what follows it");
}

#[test]
fn prompts_together_have_equally_many_chunks() {
    let desk = Desk::new();
    let options = TextOptions::default();
    let long = "mass ".repeat(40);
    let together = desk.condition(&["edema", &long], &options);
    assert_eq!(together.context.dims(), [2, 2 * WINDOW, 16]);
    assert_eq!(together.pooled.unwrap().dims(), [2, 16]);
    let row = |context: &Tensor, row: usize, chunk: usize| {
        values(&context.narrow(0, row, 1).unwrap().narrow(1, chunk * WINDOW, WINDOW).unwrap())
    };
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    let empty = desk.condition(&[""], &options).context;
    let short = desk.condition(&["edema"], &options).context;
    assert!(close(&row(&together.context, 0, 0), &row(&short, 0, 0)));
    assert!(close(&row(&together.context, 0, 1), &row(&empty, 0, 0)));
    let second = desk.condition(&["mass ".repeat(10).as_str()], &options).context;
    assert!(close(&row(&together.context, 1, 1), &row(&second, 0, 0)));
}

#[test]
fn weights_do_what_their_rule_says() {
    let desk = Desk::new();
    let plain = desk.context("mass edema", Emphasis::RestoredMean);
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let weighted = desk.context("mass (edema:1.5)", Emphasis::RestoredMean);
    assert_ne!(weighted, plain);
    assert!((mean(&weighted) - mean(&plain)).abs() < 1e-5);
    // Between two tokens of one chunk only the weight tells.
    let ratio = |place: usize| weighted[place * 16] / plain[place * 16];
    assert!((ratio(2) / ratio(1) - 1.5).abs() < 1e-4);

    let empty = desk.context("", Emphasis::Interpolated);
    let plain = desk.context("mass edema", Emphasis::Interpolated);
    let weighted = desk.context("mass (edema:0.5)", Emphasis::Interpolated);
    let nothing = desk.context("(mass edema:0)", Emphasis::Interpolated);
    let width = 16;
    for (index, value) in weighted.iter().enumerate() {
        let place = index / width;
        let expected =
            if place == 2 { f32::midpoint(empty[index], plain[index]) } else { plain[index] };
        assert!((value - expected).abs() < 1e-5);
        let expected = if (1..=2).contains(&place) { empty[index] } else { plain[index] };
        assert!((nothing[index] - expected).abs() < 1e-5);
    }
    // All of nothing has no mean to restore: finite all the same.
    let options = TextOptions::default();
    let all = desk.condition(&["(mass:0)"], &options).context;
    assert!(values(&all).iter().all(|value| value.is_finite()));
}

#[test]
fn several_encoders_stand_beside_each_other() {
    let desk = Desk::new();
    let one = |tokens: &Tensor| Ok(States { hidden: desk.text.forward(tokens)?, pooled: None });
    let two = |tokens: &Tensor| {
        let hidden = (desk.text.forward(tokens)? * 2.0)?;
        Ok(States { pooled: Some(hidden.narrow(1, 3, 1)?.squeeze(1)?), hidden })
    };
    let tower = |encode| Tower { tokenizer: &desk.tokenizer, window: WINDOW, encode };
    let prompts = ["mass ".repeat(40), "edema".to_owned()];
    let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
    let options = TextOptions::default();
    let towers: [Tower; 2] = [tower(&one), tower(&two)];
    let both = condition(&towers, &prompts, &options, &Device::Cpu).unwrap();
    let alone = desk.condition(&prompts, &options).context;
    assert_eq!(both.context.dims(), [2, 2 * WINDOW, 32]);
    assert_eq!(values(&both.context.narrow(2, 0, 16).unwrap()), values(&alone));
    assert_eq!(values(&both.context.narrow(2, 16, 16).unwrap()), values(&(&alone * 2.0).unwrap()));
    let first = (alone.narrow(1, 3, 1).unwrap().squeeze(1).unwrap() * 2.0).unwrap();
    assert_eq!(values(&both.pooled.unwrap()), values(&first), "pooled is of the first chunk");
    assert!(condition(&[], &prompts, &options, &Device::Cpu).is_err());
    let short = Tower { window: 8, ..tower(&one) };
    assert!(condition(&[tower(&one), short], &prompts, &options, &Device::Cpu).is_err());
    assert!(matches!(
        condition(&towers, &["(mass:99)"], &options, &Device::Cpu),
        Err(ConditionError::Prompt(_))
    ));
}
