//! `skiagraph-engine transcribe`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::Serialize;
use skiagraph_engine::device::{CancelToken, DeviceChoice};
use skiagraph_engine::prompt::{StructuredPrompt, expected_words, spoken};
use skiagraph_engine::speech::{Clip, Limits, Options, SpeechModel, Transcript};

use super::Output;

/// Write down a spoken request, and what it asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder of a Whisper model in transformers' layout: config.json, model.safetensors (F16 or F32),
    /// tokenizer.json
    #[arg(long, env = "SKIAGRAPH_SPEECH_MODEL")]
    model: Option<PathBuf>,
    /// The language, as the model knows it; found out where it is not given
    #[arg(long)]
    language: Option<String>,
    /// Seconds of sound that are taken
    #[arg(long, default_value_t = Limits::default().seconds, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// A WAV, OGG or WebM file
    file: PathBuf,
}

#[derive(Serialize)]
struct Heard {
    #[serde(flatten)]
    transcript: Transcript,
    seconds: f64,
    prompt: StructuredPrompt,
}

pub(crate) fn run(
    arguments: &Arguments,
    device: DeviceChoice,
    output: &Output,
) -> anyhow::Result<()> {
    let Some(folder) = &arguments.model else {
        bail!(
            "no speech model is configured: set --model or SKIAGRAPH_SPEECH_MODEL to a folder with \
             config.json, model.safetensors and tokenizer.json of a Whisper model"
        );
    };
    // A minute's share of bytes for every minute.
    let limits = Limits::default();
    let minutes = arguments.seconds.div_ceil(limits.seconds) as usize;
    let limits = Limits { bytes: limits.bytes * minutes, seconds: arguments.seconds };
    let file = std::fs::File::open(&arguments.file)
        .with_context(|| format!("{}", arguments.file.display()))?;
    let mut bytes = Vec::new();
    file.take(limits.bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{}", arguments.file.display()))?;
    let clip = Clip::read(&bytes, limits)?;
    let model = SpeechModel::open(folder, &device.open()?)?;
    let progress = output.progress("windows");
    let options = Options {
        language: arguments.language.clone(),
        expected: expected_words(),
        ..Options::default()
    };
    let transcript = model.transcribe(
        &clip,
        &options,
        &mut |done, total| progress.at(done as u64, total as u64),
        &CancelToken::new(),
    )?;
    progress.finish();
    let prompt = spoken(&transcript.text);
    let words = format!("{}\n{}", transcript.text, prompt.sentence()?);
    output.result("transcript", &Heard { transcript, seconds: clip.seconds(), prompt }, &words)
}
