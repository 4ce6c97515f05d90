//! A Whisper model on disk, and what it hears.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device};
use serde::Serialize;

use super::audio::Clip;
use super::config::{GenerationConfig, WhisperConfig, read};
use super::decode::{self, Beginning, Rules};
use super::error::SpeechError;
use super::mel::{HOP, MelSpectrogram};
use super::network::{AudioEncoder, TextDecoder};
use super::tokens::Vocabulary;
use crate::device::CancelToken;
use crate::kernel::map_weights;
use crate::nn::Weights;

/// Entries of the smallest vocabulary that knows more languages than English, in models that do not
/// say so themselves.
const MULTILINGUAL: usize = 51_865;

/// How a clip is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The language as an ISO 639 code; found out from the first window where it is absent.
    pub language: Option<String>,
    /// Attempts at a window, each warmer than the last; 0 takes the likeliest token.
    pub temperatures: Vec<f64>,
    /// Words that are likely, by language: the model takes them for what was said before, and hears
    /// them sooner than words that sound alike. Beyond what it can be told, the last ones count.
    pub expected: BTreeMap<&'static str, String>,
}

impl Default for Options {
    /// The published temperatures, any language, and no word sooner than another.
    fn default() -> Self {
        Self {
            language: None,
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            expected: BTreeMap::new(),
        }
    }
}

/// What a window of a clip became.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Segment {
    /// Its words.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// The temperature of the attempt that was kept.
    pub temperature: f64,
    /// Mean logarithm of a token's probability.
    pub average_log_probability: f64,
    /// How much zlib shortens the text: high where it repeats itself.
    pub compression_ratio: f64,
    /// How likely it is that nobody spoke.
    pub no_speech_probability: f64,
}

/// What a clip says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transcript {
    /// The words.
    pub text: String,
    /// The language, as an ISO 639 code.
    pub language: String,
    /// Window by window; those without speech are left out.
    pub segments: Vec<Segment>,
}

/// A Whisper model.
pub struct SpeechModel {
    config: WhisperConfig,
    vocabulary: Vocabulary,
    rules: Rules,
    multilingual: bool,
    mel: MelSpectrogram,
    encoder: AudioEncoder,
    decoder: TextDecoder,
    device: Device,
}

impl SpeechModel {
    /// Opens a folder in transformers' layout: `config.json`, `model.safetensors` (f16 or f32),
    /// `tokenizer.json` and, where there is one, `generation_config.json`.
    ///
    /// # Errors
    /// [`SpeechError`] names the file, and the field where one is wrong. Missing and unexpected
    /// weights are all listed.
    pub fn open(folder: &Path, device: &Device) -> Result<Self, SpeechError> {
        if !folder.is_dir() {
            return Err(SpeechError::NoModel(format!(
                "{} is not a folder; it must be one with config.json, model.safetensors and \
                 tokenizer.json of a Whisper model in transformers' layout",
                folder.display()
            )));
        }
        let file = |name: &str| -> Result<PathBuf, SpeechError> {
            let path = folder.join(name);
            if path.is_file() { Ok(path) } else { Err(SpeechError::file(path, "is missing")) }
        };
        let config: WhisperConfig = read(&file("config.json")?)?;
        config.validate()?;
        let path = folder.join("generation_config.json");
        let generation: GenerationConfig =
            if path.is_file() { read(&path)? } else { GenerationConfig::default() };
        let vocabulary = Vocabulary::open(&file("tokenizer.json")?, config.vocab_size)?;

        let path = file("model.safetensors")?;
        let mapped = map_weights(&path).map_err(|cause| SpeechError::file(&path, cause))?;
        check_types(&path, &mapped)?;
        let weights = Weights::from_file(mapped, false, DType::F32, device);
        let encoder = AudioEncoder::new(&config, &weights.pp("model.encoder"))?;
        let decoder = TextDecoder::new(&config, &weights.pp("model.decoder"), &weights)?;
        weights.finish().map_err(|cause| SpeechError::file(&path, cause))?;

        let listed = |own: &Option<Vec<u32>>, older: &Option<Vec<u32>>| {
            own.clone().or_else(|| older.clone()).unwrap_or_default().into_iter()
        };
        let rules = Rules {
            never: listed(&generation.suppress_tokens, &config.suppress_tokens)
                .chain(vocabulary.special.iter().copied())
                .filter(|token| *token != vocabulary.end)
                .collect(),
            never_first: listed(&generation.begin_suppress_tokens, &config.begin_suppress_tokens)
                .collect(),
            // The other half of the positions is for what was said before.
            most: config.max_target_positions / 2 - 1,
        };
        Ok(Self {
            multilingual: generation.is_multilingual.unwrap_or(config.vocab_size >= MULTILINGUAL),
            mel: MelSpectrogram::new(config.num_mel_bins),
            config,
            vocabulary,
            rules,
            encoder,
            decoder,
            device: device.clone(),
        })
    }

    /// The shape of the networks.
    pub fn config(&self) -> &WhisperConfig {
        &self.config
    }

    /// The network that listens.
    pub fn encoder(&self) -> &AudioEncoder {
        &self.encoder
    }

    /// The network that writes.
    pub fn decoder(&self) -> &TextDecoder {
        &self.decoder
    }

    /// Samples of a window: 30 seconds in all published models.
    pub fn window(&self) -> usize {
        2 * self.config.max_source_positions * HOP
    }

    /// Every language that can be asked for, as ISO 639 codes. A model of English alone knows `en`.
    pub fn languages(&self) -> Vec<&str> {
        if self.multilingual {
            self.vocabulary.languages.keys().map(String::as_str).collect()
        } else {
            vec!["en"]
        }
    }

    /// Writes down what `clip` says. `progress` hears of every finished window and how many there are;
    /// the work stops within a token of `cancel`, or with the window that is being heard.
    ///
    /// # Errors
    /// [`SpeechError::Language`] for a language that the model does not know,
    /// [`SpeechError::Cancelled`], and faults of the weights.
    pub fn transcribe(
        &self,
        clip: &Clip,
        options: &Options,
        progress: &mut dyn FnMut(usize, usize),
        cancel: &CancelToken,
    ) -> Result<Transcript, SpeechError> {
        let mut language = self.asked_language(options.language.as_deref())?;
        let windows = clip.windows(self.window());
        let mut before = None;
        let mut segments = Vec::new();
        for (index, window) in windows.iter().enumerate() {
            if cancel.is_cancelled() {
                return Err(SpeechError::Cancelled);
            }
            let spectrogram = self.mel.compute(window, self.window(), &self.device)?;
            let state = self.decoder.start(&self.encoder.forward(&spectrogram)?)?;
            let spoken = match language {
                Some(language) => language,
                None => decode::language(&self.decoder, &self.vocabulary, &state)?.unwrap_or("en"),
            };
            language = Some(spoken);
            let before = match &before {
                Some(before) => before,
                None => before.insert(self.before(options.expected.get(spoken))?),
            };
            let prompt = self.prompt(spoken);
            let decoded = decode::decode(
                &self.decoder,
                &self.vocabulary,
                &self.rules,
                &Beginning { before, prompt: &prompt, state: &state },
                &options.temperatures,
                cancel,
            )?;
            if !decoded.is_silence() {
                segments.push(Segment {
                    text: decoded.text,
                    tokens: decoded.tokens,
                    temperature: decoded.temperature,
                    average_log_probability: decoded.average_log_probability,
                    compression_ratio: decoded.compression_ratio,
                    no_speech_probability: decoded.no_speech_probability,
                });
            }
            progress(index + 1, windows.len());
        }
        let texts: Vec<&str> = segments
            .iter()
            .map(|segment| segment.text.as_str())
            .filter(|text| !text.is_empty())
            .collect();
        Ok(Transcript {
            text: texts.join(" "),
            language: language.unwrap_or("en").to_owned(),
            segments,
        })
    }

    /// The language that was asked for, as the model spells it.
    fn asked_language(&self, asked: Option<&str>) -> Result<Option<&str>, SpeechError> {
        let Some(asked) = asked else { return Ok((!self.multilingual).then_some("en")) };
        self.languages().into_iter().find(|known| *known == asked).map(Some).ok_or_else(|| {
            SpeechError::Language(format!(
                "not one that the model knows; it knows {}",
                self.languages().join(", ")
            ))
        })
    }

    /// The tokens that tell `expected` words as said before; none where the model cannot be told.
    fn before(&self, expected: Option<&String>) -> Result<Vec<u32>, SpeechError> {
        let (Some(expected), Some(previous)) = (expected, self.vocabulary.previous) else {
            return Ok(Vec::new());
        };
        let words = self.vocabulary.words(expected)?;
        // Half of the positions, the token that begins them included, and four are the prompt's.
        let room = (self.config.max_target_positions / 2).saturating_sub(4);
        let first = words.len().saturating_sub(room);
        Ok(std::iter::once(previous).chain(words[first..].iter().copied()).collect())
    }

    /// The tokens before the first word.
    fn prompt(&self, language: &str) -> Vec<u32> {
        let mut prompt = vec![self.vocabulary.start];
        if self.multilingual {
            prompt.extend(self.vocabulary.languages.get(language));
            prompt.extend(self.vocabulary.transcribe);
        }
        prompt.push(self.vocabulary.without_times);
        prompt
    }
}

/// Weights of another type would be read as something else than they are, or take memory unasked.
fn check_types(path: &Path, file: &MmapedSafetensors) -> Result<(), SpeechError> {
    for (name, view) in file.tensors() {
        if !matches!(view.dtype(), safetensors::Dtype::F16 | safetensors::Dtype::F32) {
            return Err(SpeechError::file(
                path,
                format!("{name} is {:?}; weights must be F16 or F32", view.dtype()),
            ));
        }
    }
    Ok(())
}
