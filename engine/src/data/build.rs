//! Building a data set from DICOM objects.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use chrono::Utc;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::masks::{MaskOptions, MaskSource};
use super::source::{self, Taken};
use super::{Card, Counts, DataError, FORMAT, Sample, Split, split};
use crate::device::CancelToken;
use crate::files::{self, PendingFolder};

/// Sources that are read between two looks at the cancel token.
const BATCH: usize = 32;

/// What to build a data set from, and what its card says.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// The data set's name.
    pub name: String,
    /// DICOM files, or folders that hold some.
    pub sources: Vec<PathBuf>,
    /// The folder to make; it must not exist, or be empty.
    pub out: PathBuf,
    /// Share of patients to keep for validation, between 0 and 1.
    pub validation_fraction: f32,
    /// The seed of the split.
    pub seed: u64,
    /// Under which licence the sources may be used.
    pub licence: String,
    /// Whom to credit.
    pub attribution: String,
    /// Take objects that are marked synthetic.
    pub allow_synthetic: bool,
    /// Where the lung masks of sources lie.
    pub masks: Option<MaskOptions>,
}

/// Builds a data set: frames, manifest and card, in a temporary folder that gets its name at the end.
///
/// `progress` hears how many sources of how many are read.
///
/// # Errors
/// [`DataError`] names the option or the source and the cause; no folder is left then.
pub fn build(
    options: &BuildOptions,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelToken,
) -> Result<Card, DataError> {
    check(options)?;
    let files = source::files(&options.sources)?;
    let masks = options.masks.as_ref().map(MaskSource::open).transpose()?;
    let folder = pending(&options.out)?;
    fs::create_dir(folder.path().join("frames")).map_err(DataError::io("the folder of frames"))?;
    if masks.is_some() {
        fs::create_dir(folder.path().join("masks"))
            .map_err(DataError::io("the folder of masks"))?;
    }

    let mut gathered = Gathered::default();
    gathered.gather(&files.dicom, folder.path(), options, masks.as_ref(), progress, cancel)?;
    let samples = gathered.samples(options)?;
    let mut card = Card {
        format: FORMAT,
        name: options.name.trim().to_owned(),
        licence: options.licence.trim().to_owned(),
        attribution: options.attribution.trim().to_owned(),
        created: Utc::now(),
        engine_version: crate::VERSION.to_owned(),
        synthetic: false,
        validation_fraction: options.validation_fraction,
        seed: options.seed,
        sources_sha256: hex::encode(gathered.digest(b"skiagraph sources")),
        sources: files.dicom.len() as u64,
        duplicates_dropped: gathered.duplicates,
        other_files_ignored: files.others,
        samples: Counts::default(),
        patients: Counts::default(),
        findings: BTreeMap::new(),
        age_groups: BTreeMap::new(),
        sexes: BTreeMap::new(),
        view_positions: BTreeMap::new(),
        masks: Counts::default(),
    };
    card.count(&samples);
    if masks.is_some() && card.masks.total() == 0 {
        return Err(DataError::Option {
            option: "masks",
            cause: "none is named as one of the sources is".to_owned(),
        });
    }
    write_texts(folder.path(), &card, &samples).map_err(DataError::io("card and manifest"))?;
    folder.publish().map_err(DataError::io("the data set's folder"))?;
    Ok(card)
}

fn check(options: &BuildOptions) -> Result<(), DataError> {
    let bad = |option, cause: &str| Err(DataError::Option { option, cause: cause.to_owned() });
    if options.name.trim().is_empty() {
        return bad("name", "empty");
    }
    if options.licence.trim().is_empty() {
        return bad("licence", "empty; a data set says what it may be used for");
    }
    if options.attribution.trim().is_empty() {
        return bad("attribution", "empty; a data set says whom to credit");
    }
    if options.sources.is_empty() {
        return bad("sources", "none");
    }
    if !(options.validation_fraction > 0.0 && options.validation_fraction < 1.0) {
        return bad("validation_fraction", "not between 0 and 1");
    }
    Ok(())
}

pub(super) fn pending(out: &Path) -> Result<PendingFolder, DataError> {
    PendingFolder::beside(out).map_err(|error| match error.kind() {
        std::io::ErrorKind::DirectoryNotEmpty => {
            DataError::Option { option: "out", cause: error.to_string() }
        }
        _ => DataError::io("the data set's folder")(error),
    })
}

/// Every source without its frame, which is on disk.
#[derive(Default)]
struct Gathered {
    taken: Vec<Kept>,
    sources: Vec<[u8; 32]>,
    duplicates: u64,
}

/// A source whose frame is on disk, with the hashes of its files.
struct Kept {
    source: Taken,
    frame_sha256: String,
    mask_sha256: Option<String>,
}

fn id(taken: &Taken) -> String {
    hex::encode(&taken.pixels_sha256[..16])
}

impl Gathered {
    fn gather(
        &mut self,
        files: &[PathBuf],
        folder: &Path,
        options: &BuildOptions,
        masks: Option<&MaskSource>,
        progress: &mut dyn FnMut(u64, u64),
        cancel: &CancelToken,
    ) -> Result<(), DataError> {
        let total = files.len() as u64;
        let mut seen = HashSet::new();
        progress(0, total);
        for (batch_index, batch) in files.chunks(BATCH).enumerate() {
            if cancel.is_cancelled() {
                return Err(DataError::Cancelled);
            }
            let first = batch_index * BATCH + 1;
            let batch: Vec<Taken> = batch
                .par_iter()
                .enumerate()
                .map(|(index, path)| source::take(path, first + index, options, masks))
                .collect::<Result<_, _>>()?;
            for taken in batch {
                self.sources.push(taken.source_sha256);
                if seen.insert(taken.pixels_sha256) {
                    self.keep(taken, folder)?;
                } else {
                    self.duplicates += 1;
                }
            }
            progress(self.sources.len() as u64, total);
        }
        Ok(())
    }

    /// Writes a source's pictures, and keeps the rest of it.
    fn keep(&mut self, mut source: Taken, folder: &Path) -> Result<(), DataError> {
        let name = format!("{}.png", id(&source));
        let write = |inside: &str, png: &[u8], what| {
            files::write(&folder.join(inside).join(&name), png).map_err(DataError::io(what))?;
            Ok::<_, DataError>(hex::encode(Sha256::digest(png)))
        };
        let frame_sha256 = write("frames", &std::mem::take(&mut source.png), "a frame")?;
        let mask = source.mask_png.take();
        let mask_sha256 = mask.map(|png| write("masks", &png, "a mask")).transpose()?;
        self.taken.push(Kept { source, frame_sha256, mask_sha256 });
        Ok(())
    }

    /// A digest of all sources in their order, under a name of its own.
    fn digest(&self, name: &[u8]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(name);
        for source in &self.sources {
            hasher.update(source);
        }
        hasher.finalize().into()
    }

    fn samples(&self, options: &BuildOptions) -> Result<Vec<Sample>, DataError> {
        let mut patients: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for Kept { source: taken, .. } in &self.taken {
            let findings = patients.entry(taken.header.patient_id.clone()).or_default();
            findings.extend(taken.findings.iter().cloned());
        }
        if patients.len() < 2 {
            return Err(DataError::Sources {
                cause: format!(
                    "{} patient among {} different radiographs; a split by patient needs two or more",
                    patients.len(),
                    self.taken.len()
                ),
            });
        }
        let placed = split::split(&patients, options.validation_fraction, options.seed);
        // Only who has the sources has the key: from the card and the manifest alone, nobody finds a
        // patient by trying identifiers.
        let key = self.digest(b"skiagraph pseudonyms");
        let mut samples: Vec<Sample> = self
            .taken
            .iter()
            .map(|Kept { source: taken, frame_sha256, mask_sha256 }| {
                let patient = &taken.header.patient_id;
                Sample {
                    id: id(taken),
                    caption: taken.caption.clone(),
                    split: placed.get(patient).copied().unwrap_or(Split::Train),
                    patient: pseudonym(&key, patient),
                    findings: taken.findings.clone(),
                    age_group: taken.age_group,
                    age_years: taken.header.age_years,
                    sex: taken.header.sex,
                    view_position: taken.view_position.clone(),
                    width: taken.width,
                    height: taken.height,
                    synthetic: taken.header.synthetic,
                    sha256: frame_sha256.clone(),
                    mask_sha256: mask_sha256.clone(),
                }
            })
            .collect();
        // By id, so that the manifest's order tells nothing of the sources'.
        samples.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(samples)
    }
}

fn pseudonym(key: &[u8; 32], patient: &str) -> String {
    let digest = Sha256::new().chain_update(key).chain_update(patient).finalize();
    hex::encode(&digest[..8])
}

pub(super) fn write_texts(folder: &Path, card: &Card, samples: &[Sample]) -> std::io::Result<()> {
    let mut manifest = Vec::new();
    for sample in samples {
        serde_json::to_writer(&mut manifest, sample)?;
        manifest.push(b'\n');
    }
    files::write(&folder.join("manifest.jsonl"), &manifest)?;
    let mut text = serde_json::to_vec_pretty(card)?;
    text.push(b'\n');
    files::write(&folder.join("card.json"), &text)
}
