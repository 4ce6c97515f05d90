//! What an evaluation needs, opened: the model with what is put on it, judge and segmenter.

use std::path::{Path, PathBuf};

use candle_core::Device;

use super::Generation;
use crate::adapter::{Adapter, Concept};
use crate::control::ControlKind;
use crate::dicom::AdapterUse;
use crate::evaluate::EvaluateError;
use crate::model::{Bundle, Classifier, ModelCard, Part, Segmenter};
use crate::sample::Pipeline;

/// Where judge, segmenter and ControlNet lie below a model that brings them along.
const JUDGE: &str = "judge";
const SEGMENTER: &str = "segmenter";
const CONTROL: &str = "controlnet_lungmask";

/// The model with its adapters and concepts on it, and what looks at its images.
pub(super) struct Room {
    pub(super) card: ModelCard,
    pub(super) pipeline: Pipeline,
    pub(super) judge: Option<(Classifier, ModelCard)>,
    pub(super) segmenter: Option<(Segmenter, ModelCard)>,
    /// Which of the pipeline's control networks follows lung masks, where masks are asked for.
    pub(super) mask_network: usize,
    /// What is on the model.
    pub(super) adapters: Vec<AdapterUse>,
    pub(super) steps: usize,
    pub(super) guidance_scale: f64,
    pub(super) seed: u64,
    pub(super) device: Device,
}

impl Room {
    pub(super) fn open(
        model: &Path,
        wanted: &Generation,
        device: &Device,
    ) -> Result<Self, EvaluateError> {
        let judge = given_or_below(wanted.judge.as_ref(), model, JUDGE);
        if judge.is_none() && wanted.prompts > 0 {
            let cause = "is needed for prompts: the folder of a classifier";
            return Err(EvaluateError::option(JUDGE, cause));
        }
        let segmenter = given_or_below(wanted.segmenter.as_ref(), model, SEGMENTER);
        if segmenter.is_none() && wanted.masks > 0 {
            let cause = "is needed for masks: the folder of a lung segmenter";
            return Err(EvaluateError::option(SEGMENTER, cause));
        }
        let bundle = Bundle::open(model)?;
        if !bundle.has(Part::Unet) {
            return Err(EvaluateError::Nothing("has no UNet, and makes no images"));
        }
        let mut pipeline = Pipeline::load(&bundle, device)?;
        let mut mask_network = 0;
        if wanted.masks > 0 {
            let given = given_or_below(wanted.control_network.as_ref(), model, CONTROL);
            if let Some(folder) = &given {
                pipeline.add_control(folder)?;
            }
            let taught = pipeline.control_conditions();
            let follows_masks =
                |condition: &Option<String>| condition.as_deref() == Some(ControlKind::Mask.word());
            // One from elsewhere does not say what it follows: whoever gave it knows.
            let last = taught
                .len()
                .checked_sub(1)
                .filter(|last| wanted.control_network.is_some() && taught[*last].is_none());
            mask_network = last.or(taught.iter().rposition(follows_masks)).ok_or_else(|| {
                let cause = "is needed for masks: the folder of one that follows lung masks";
                EvaluateError::option("control_network", cause)
            })?;
        }
        let card = bundle.card().clone();
        let mut room = Self {
            pipeline,
            judge: judge.map(|folder| Classifier::open(&folder, device)).transpose()?,
            segmenter: segmenter
                .filter(|_| wanted.masks > 0)
                .map(|folder| Segmenter::open(&folder, device))
                .transpose()?,
            mask_network,
            adapters: Vec::new(),
            steps: wanted.steps.unwrap_or(card.default_steps.max(1) as usize),
            guidance_scale: wanted
                .guidance_scale
                .unwrap_or(f64::from(card.default_guidance_scale).max(1.0)),
            seed: wanted.seed,
            card,
            device: device.clone(),
        };
        room.put_on(wanted)?;
        Ok(room)
    }

    fn put_on(&mut self, wanted: &Generation) -> Result<(), EvaluateError> {
        let open = |(path, scale): &(PathBuf, f32)| Ok((Adapter::open(path)?, *scale));
        let adapters =
            wanted.adapters.iter().map(open).collect::<Result<Vec<_>, EvaluateError>>()?;
        let on: Vec<(&Adapter, f32)> =
            adapters.iter().map(|(adapter, scale)| (adapter, *scale)).collect();
        self.pipeline.adapt(&on, true)?;
        let open = |(path, scale): &(PathBuf, f32)| Ok((self.pipeline.concept(path)?, *scale));
        let concepts =
            wanted.concepts.iter().map(open).collect::<Result<Vec<_>, EvaluateError>>()?;
        let seen: Vec<(&Concept, f32)> =
            concepts.iter().map(|(concept, scale)| (concept, *scale)).collect();
        self.pipeline.show(&seen, None)?;
        let used = |name: &str, sha256: &str, scale: f32| AdapterUse {
            name: name.to_owned(),
            sha256: sha256.to_owned(),
            scale,
        };
        self.adapters = on
            .iter()
            .map(|(adapter, scale)| used(adapter.name(), adapter.sha256(), *scale))
            .chain(
                seen.iter().map(|(concept, scale)| used(concept.name(), concept.sha256(), *scale)),
            )
            .collect();
        Ok(())
    }

    /// Takes adapters and concepts off the model.
    pub(super) fn take_off(&mut self) -> Result<(), EvaluateError> {
        self.pipeline.adapt(&[], true)?;
        self.pipeline.show(&[], None)?;
        self.adapters.clear();
        Ok(())
    }

    /// The classifier.
    pub(super) fn classifier(&self) -> Option<&Classifier> {
        self.judge.as_ref().map(|(judge, _)| judge)
    }
}

/// The folder that was given, or the one of this name below the model, where there is one.
fn given_or_below(given: Option<&PathBuf>, model: &Path, name: &str) -> Option<PathBuf> {
    given.cloned().or_else(|| Some(model.join(name)).filter(|below| below.is_dir()))
}
