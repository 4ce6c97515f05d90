//! Whisper: spectrogram, networks and greedy tokens, against transformers'.

use candle_core::{Device, Tensor};
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::speech::{Clip, Limits, MelSpectrogram, Options, SAMPLE_RATE, SpeechModel};

use super::{Golden, deviation, folder_of};

const TOLERANCE: f32 = 1e-4;

fn samples(golden: &Golden, name: &str) -> Vec<f32> {
    golden.get(name).to_vec1().unwrap()
}

#[test]
fn spectrograms_are_those_of_the_feature_extractor() {
    let golden = Golden::open("speech");
    let wave = samples(&golden, "wave");
    for bands in [80, 128] {
        let whole = MelSpectrogram::new(bands).compute(&wave, 480_000, &Device::Cpu).unwrap();
        assert_eq!(whole.dims(), [1, bands, 3000]);
        golden.check(
            "speech",
            &format!("features.{bands}"),
            &whole.narrow(2, 0, 200).unwrap(),
            TOLERANCE,
        );
    }
}

#[test]
fn networks_compute_what_transformers_computes() {
    let golden = Golden::open("speech");
    let model = SpeechModel::open(&folder_of("speech"), &Device::Cpu).unwrap();
    for name in ["long", "short"] {
        let heard = model.encoder().forward(golden.get(&format!("{name}.spectrogram"))).unwrap();
        golden.check("speech", &format!("{name}.heard"), &heard, TOLERANCE);
        let expected = golden.get(&format!("{name}.logits"));
        let tokens = golden.get(&format!("{name}.tokens")).flatten_all().unwrap();
        let tokens: Vec<u32> =
            tokens.to_vec1::<i64>().unwrap().into_iter().map(|token| token as u32).collect();
        // All at once, and with what is kept from token to token in every way of cutting.
        for cut in 0..tokens.len() {
            let mut state = model.decoder().start(&heard).unwrap();
            let parts =
                [&tokens[..cut], &tokens[cut..]].into_iter().filter(|part| !part.is_empty());
            let logits: Vec<Tensor> =
                parts.map(|part| model.decoder().forward(part, &mut state).unwrap()).collect();
            let found = deviation(&Tensor::cat(&logits, 0).unwrap(), expected);
            assert!(found <= TOLERANCE, "{name}, cut at {cut}: {found}");
        }
    }
}

#[test]
fn greedy_tokens_are_the_same() {
    let golden = Golden::open("speech");
    let model = SpeechModel::open(&folder_of("speech"), &Device::Cpu).unwrap();
    assert_eq!(model.window(), 9_600);
    assert_eq!(model.languages(), ["en", "zh"]);
    for name in ["long", "short"] {
        let samples = samples(&golden, &format!("{name}.samples"));
        let clip = Clip::from_samples(samples, SAMPLE_RATE, Limits::default()).unwrap();
        for language in ["en", "zh"] {
            let options = Options {
                language: Some(language.into()),
                temperatures: vec![0.0],
                ..Options::default()
            };
            let transcript =
                model.transcribe(&clip, &options, &mut |_, _| (), &CancelToken::new()).unwrap();
            let expected: Vec<u32> = golden
                .get(&format!("{name}.{language}.greedy"))
                .to_vec1::<i64>()
                .unwrap()
                .into_iter()
                .map(|token| token as u32)
                .collect();
            assert_eq!(transcript.language, language);
            assert_eq!(transcript.segments[0].tokens, expected, "{name} {language}");
            assert!(!transcript.text.is_empty());
        }
    }
}
