//! `skiagraph-engine dataset`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use skiagraph_engine::data::{self, BuildOptions, Card, Counts, Dataset, MaskOptions, Split};
use skiagraph_engine::device::CancelToken;

use super::Output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build a data set from DICOM files and folders.
    Build(BuildArguments),
    /// Say what a data set holds, after reading every frame.
    Inspect {
        /// The data set's folder.
        dataset: PathBuf,
        /// Also write the first training squares of this size as PNG into --out.
        #[arg(long, requires = "out")]
        squares: Option<u32>,
        /// Where the squares go.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct BuildArguments {
    /// The data set's name.
    #[arg(long)]
    name: String,
    /// DICOM files, or folders that hold some.
    #[arg(required = true)]
    sources: Vec<PathBuf>,
    /// The folder to make.
    #[arg(long)]
    out: PathBuf,
    /// Share of patients to keep for validation.
    #[arg(long, default_value_t = 0.1)]
    validation_fraction: f32,
    /// The seed of the split.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Under which licence the sources may be used.
    #[arg(long)]
    licence: String,
    /// Whom to credit.
    #[arg(long)]
    attribution: String,
    /// Take objects that are marked synthetic.
    #[arg(long)]
    allow_synthetic: bool,
    /// Folder of lung masks: `X.png` is the mask of the source `X.dcm`.
    #[arg(long)]
    masks: Option<PathBuf>,
    /// Table with a column `lungmask` of the masks' file names and a column `mask_match_score`.
    #[arg(long, requires = "masks")]
    mask_scores: Option<PathBuf>,
    /// Masks with a score below this are left out.
    #[arg(long, requires = "mask_scores", default_value_t = 0.0)]
    least_mask_score: f64,
}

pub(crate) fn run(command: Command, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Build(arguments) => build(arguments, output),
        Command::Inspect { dataset, squares, out } => inspect(&dataset, squares.zip(out), output),
    }
}

fn build(arguments: BuildArguments, output: &Output) -> anyhow::Result<()> {
    let options = BuildOptions {
        name: arguments.name,
        sources: arguments.sources,
        out: arguments.out,
        validation_fraction: arguments.validation_fraction,
        seed: arguments.seed,
        licence: arguments.licence,
        attribution: arguments.attribution,
        allow_synthetic: arguments.allow_synthetic,
        masks: arguments.masks.map(|folder| MaskOptions {
            folder,
            scores: arguments.mask_scores,
            least_score: arguments.least_mask_score,
        }),
    };
    let bar = output.progress("radiographs");
    let built = data::build(&options, &mut |done, total| bar.at(done, total), &CancelToken::new());
    bar.finish();
    let card = match built {
        Ok(card) => card,
        // At a terminal, whoever gave the files may see which one it was.
        Err(error) => match error.source_path().map(|path| path.display().to_string()) {
            Some(path) => return Err(error).context(path),
            None => return Err(error.into()),
        },
    };
    output.result("built", &card, &described(&card))
}

fn inspect(
    folder: &PathBuf,
    squares: Option<(u32, PathBuf)>,
    output: &Output,
) -> anyhow::Result<()> {
    let dataset = Dataset::open(folder).with_context(|| folder.display().to_string())?;
    let samples: Vec<_> = [Split::Train, Split::Validation]
        .iter()
        .flat_map(|split| dataset.samples(*split))
        .collect();
    let bar = output.progress("frames");
    for (index, sample) in samples.iter().enumerate() {
        dataset.frame(sample)?;
        if index % 64 == 0 {
            bar.at(index as u64, samples.len() as u64);
        }
    }
    bar.finish();
    if let Some((size, out)) = squares {
        std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        for sample in samples.iter().take(16) {
            let pixels = dataset.square(sample, size)?;
            let frame = skiagraph_engine::dicom::Frame { width: size, height: size, pixels };
            let path = out.join(format!("{}.png", sample.id));
            std::fs::write(&path, skiagraph_engine::dicom::render_png(&frame, None)?)
                .with_context(|| path.display().to_string())?;
        }
    }
    output.result("card", dataset.card(), &described(dataset.card()))
}

fn described(card: &Card) -> String {
    let mut words = format!(
        "{}\n{} · {}\n{} radiographs of {} patients ({} and {} for validation); {} duplicates dropped, \
         {} other files ignored\n",
        card.name,
        card.licence,
        card.attribution,
        card.samples.total(),
        card.patients.total(),
        card.samples.validation,
        card.patients.validation,
        card.duplicates_dropped,
        card.other_files_ignored,
    );
    if card.masks.total() > 0 {
        let Counts { train, validation } = card.masks;
        words.push_str(&table(
            "lung mask",
            &[("there is one".into(), Counts { train, validation })].into(),
        ));
    }
    for (title, counts) in [
        ("finding", &card.findings),
        ("age group", &card.age_groups),
        ("sex", &card.sexes),
        ("view position", &card.view_positions),
    ] {
        words.push_str(&table(title, counts));
    }
    words
}

fn table(title: &str, counts: &BTreeMap<String, Counts>) -> String {
    let heading = format!("{title:24}{:>10}{:>12}\n", "train", "validation");
    let lines = counts
        .iter()
        .map(|(name, count)| format!("  {name:22}{:10}{:12}\n", count.train, count.validation));
    std::iter::once(heading).chain(lines).collect()
}
