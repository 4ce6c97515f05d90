//! `skiagraph-engine dataset`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use skiagraph_engine::data::{
    self, BuildOptions, Card, Counts, Dataset, MaskOptions, Sample, Split,
};
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::terms::{AgeGroup, Sex, finding, view_position};

use super::Output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build a data set from DICOM files and folders.
    Build(BuildArguments),
    /// Copy a part of a data set into one of its own; patients keep their side of the split.
    Select(SelectArguments),
    /// Say what a data set holds, after reading every frame and mask.
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

#[derive(Args)]
pub(crate) struct SelectArguments {
    /// The data set's folder.
    #[arg(long)]
    dataset: PathBuf,
    /// The part's name.
    #[arg(long)]
    name: String,
    /// The folder to make.
    #[arg(long)]
    out: PathBuf,
    /// Only of this age group: child or adult.
    #[arg(long, value_parser = age_group)]
    age_group: Option<AgeGroup>,
    /// Only of this sex: female, male or other.
    #[arg(long, value_parser = sex)]
    sex: Option<Sex>,
    /// Only of this view position: AP, PA …
    #[arg(long, value_parser = view)]
    view: Option<String>,
    /// Only what shows this finding; may be given again, for what shows any of them.
    #[arg(long, value_parser = slug)]
    finding: Vec<String>,
    /// Only so many of the patients to train on, drawn by --seed; fewer are among more. Who is held out stays.
    #[arg(long, value_name = "COUNT")]
    patients: Option<usize>,
    /// The seed of the draw.
    #[arg(long, requires = "patients", default_value_t = 0)]
    seed: u64,
}

fn age_group(text: &str) -> Result<AgeGroup, String> {
    AgeGroup::parse(text).ok_or_else(|| "must be child or adult".to_owned())
}

fn sex(text: &str) -> Result<Sex, String> {
    Sex::parse(text).ok_or_else(|| "must be female, male or other".to_owned())
}

fn view(text: &str) -> Result<String, String> {
    let known = view_position(text).map(|view| view.code.to_owned());
    known.ok_or_else(|| "is not a known view position".to_owned())
}

fn slug(text: &str) -> Result<String, String> {
    let known = finding(text).map(|finding| finding.slug.to_owned());
    known.ok_or_else(|| "is not a known finding".to_owned())
}

pub(crate) fn run(command: Command, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Build(arguments) => build(arguments, output),
        Command::Select(arguments) => select(&arguments, output),
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

fn select(arguments: &SelectArguments, output: &Output) -> anyhow::Result<()> {
    let folder = &arguments.dataset;
    let dataset = Dataset::open(folder).with_context(|| folder.display().to_string())?;
    let keep = |sample: &Sample| {
        let of_findings = arguments.finding.is_empty()
            || arguments.finding.iter().any(|slug| sample.findings.contains(slug));
        of_findings
            && (arguments.age_group.is_none() || sample.age_group == arguments.age_group)
            && (arguments.sex.is_none() || sample.sex == arguments.sex)
            && (arguments.view.is_none() || sample.view_position == arguments.view)
    };
    let draw = |count| data::some_patients(&dataset, &keep, count, arguments.seed);
    let drawn = arguments.patients.map(draw).transpose()?;
    let keep = |sample: &Sample| {
        let is_drawn = |drawn: &BTreeSet<String>| {
            sample.split == Split::Validation || drawn.contains(&sample.patient)
        };
        keep(sample) && drawn.as_ref().is_none_or(is_drawn)
    };
    let card = data::select(&dataset, &arguments.name, &keep, &arguments.out)?;
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
        dataset.mask(sample)?;
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
