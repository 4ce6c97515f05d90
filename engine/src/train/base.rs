//! Training UNet and text encoder from the start, on the latents of a trained autoencoder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

use super::buckets::framing;
use super::caution::check_captions;
use super::config::{TextSizes, TrainConfig};
use super::diffusion::{Captions, Diffusion};
use super::error::TrainError;
use super::event::TrainSummary;
use super::owed::{Owes, stated};
use super::samples::Ready;
use super::whole::{Denoiser, Denoises, Losses};
use crate::data::{Dataset, Split};
use crate::device::CancelToken;
use crate::model::{
    Bundle, ModelCard, ModelError, Part, TextConfig, TextEncoder, Tokenizer, Unet, UnetConfig,
};
use crate::nn::Weights;
use crate::noise::Schedule;
use crate::prompt::strip_marks;

/// Before the names of the UNet's weights in checkpoints.
pub(super) const UNET: &str = "unet.";
/// Before those of the text encoder.
pub(super) const TEXT: &str = "text_encoder.";

/// A whole model but for its autoencoder.
pub(super) struct BaseTask {
    config: TrainConfig,
    unet: Unet,
    text: TextEncoder,
    tokenizer: Tokenizer,
    variables: BTreeMap<String, Var>,
    losses: Losses,
    bundle: Bundle,
    card: ModelCard,
    device: Device,
}

impl BaseTask {
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let missing = |field| TrainError::Config { field, cause: "is missing".into() };
        let unet_config = config.unet.clone().ok_or_else(|| missing("unet"))?;
        let sizes = config.text.clone().ok_or_else(|| missing("text"))?;
        let card = config.card.clone().ok_or_else(|| missing("card"))?;
        unet_config.validate()?;
        let bundle = Bundle::open(&config.model)?;
        let vae = bundle.vae(device)?;
        check(&unet_config, &sizes, vae.config().latent_channels)?;

        let dataset = Dataset::open(&config.dataset)?;
        check_captions(&dataset)?;
        let captions: Vec<String> = dataset
            .samples(Split::Train)
            .iter()
            .map(|sample| strip_marks(&sample.caption))
            .collect();
        let tokenizer = Tokenizer::train(&captions, sizes.vocab_size)?;
        let text_config = text_config(&sizes, &tokenizer);
        text_config.validate()?;

        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let less = Weights::from_seed(config.seed, config.precision.dtype(), device);
        let unet = Unet::new(unet_config, &less.pp("unet"))?;
        let text = TextEncoder::new(text_config, &weights.pp("text_encoder"))?;
        let framing = framing(config, vae.config(), Some(unet.config()))?;
        let mut diffusion = Diffusion::new(
            config,
            &dataset,
            (&vae, &framing),
            Captions { tokenizer: &tokenizer, length: sizes.max_position_embeddings },
            Schedule::new(config.schedule.clone()),
            device,
            cancel,
        )?;
        let mut variables = weights.variables();
        variables.extend(less.variables());
        variables.extend(diffusion.align(config, &dataset, &unet, cancel)?);
        // The autoencoder's weights go along, and with them whom they are owed to.
        let owed = stated(&card).and_model(bundle.card()).and_set(dataset.card());
        let card = ModelCard {
            image_size: vae.config().sample_size,
            findings: findings(&dataset, &[]),
            licence: owed.licence(),
            attribution: owed.attribution(),
            ..card
        };
        Ok(Self {
            config: config.clone(),
            unet,
            text,
            tokenizer,
            variables,
            losses: diffusion.into(),
            bundle,
            card,
            device: device.clone(),
        })
    }
}

/// The findings of the images to train on and those `before`, each once.
pub(super) fn findings(dataset: &Dataset, before: &[String]) -> Vec<String> {
    let samples = dataset.samples(Split::Train);
    let shown = samples.iter().flat_map(|sample| &sample.findings);
    let all: BTreeSet<&String> = before.iter().chain(shown).collect();
    all.into_iter().cloned().collect()
}

fn check(unet: &UnetConfig, text: &TextSizes, latent: usize) -> Result<(), TrainError> {
    if unet.in_channels != latent || unet.out_channels != latent {
        return Err(TrainError::Config {
            field: "unet.in_channels",
            cause: format!(
                "must be {latent}, the channels of the autoencoder's latent, as must out_channels"
            ),
        });
    }
    if unet.context_width() != text.hidden_size {
        return Err(TrainError::Config {
            field: "unet.cross_attention_dim",
            cause: format!("must be {}, the width of the text encoder", text.hidden_size),
        });
    }
    if unet.takes_classes() {
        return Err(TrainError::Config {
            field: "unet.class_embed_type",
            cause: "must be absent: no data set here tells a class".into(),
        });
    }
    Ok(())
}

pub(super) fn text_config(sizes: &TextSizes, tokenizer: &Tokenizer) -> TextConfig {
    TextConfig {
        architectures: vec!["CLIPTextModel".into()],
        vocab_size: tokenizer.vocabulary_size(),
        hidden_size: sizes.hidden_size,
        intermediate_size: 4 * sizes.hidden_size,
        num_hidden_layers: sizes.num_hidden_layers,
        num_attention_heads: sizes.num_attention_heads,
        max_position_embeddings: sizes.max_position_embeddings,
        hidden_act: "quick_gelu".into(),
        layer_norm_eps: 1e-5,
        eos_token_id: Some(tokenizer.end_token()),
        projection_dim: None,
    }
}

/// Copies a part's files to `out`, as they are.
pub(super) fn copy_part(bundle: &Bundle, part: Part, out: &Path) -> Result<(), TrainError> {
    let target = out.join(part.folder());
    std::fs::create_dir_all(&target).map_err(|cause| ModelError::file(&target, cause))?;
    let folder = bundle.part_folder(part);
    let mut files = part.weight_files(&folder)?;
    files.push(folder.join("config.json"));
    if files.len() > 2 {
        // Pieces are found by their index.
        files.push(folder.join(format!("{}.index.json", part.weights_file())));
    }
    for from in files {
        let to = target.join(from.file_name().unwrap_or_default());
        std::fs::copy(&from, to).map_err(|cause| ModelError::file(&from, cause))?;
    }
    Ok(())
}

/// The weights under `prefix`, by the names that they have in their own file.
pub(super) fn part(weights: &BTreeMap<String, Tensor>, prefix: &str) -> BTreeMap<String, Tensor> {
    weights
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

impl Denoises for BaseTask {
    fn denoiser(&self) -> Denoiser<'_> {
        let Self { variables, losses, unet, text, .. } = self;
        Denoiser { variables, losses, unet, text }
    }

    fn write(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        Bundle::write_part(out, Part::Unet, self.unet.config(), &part(weights, UNET))?;
        Bundle::write_part(out, Part::TextEncoder, self.text.config(), &part(weights, TEXT))?;
        self.tokenizer.save(&out.join("tokenizer"), self.text.config().max_position_embeddings)?;
        copy_part(&self.bundle, Part::Vae, out)?;
        let mut card = self.card.clone();
        let before = self.bundle.card();
        card.figures.extend(before.figures.clone());
        card.figures.insert("validation_loss".into(), f64::from(summary.validation_loss_after));
        card.training = format!(
            "{}; UNet and text encoder: {} steps of {} images",
            before.training, summary.steps, self.config.batch_size
        );
        Bundle::write_index(out, &self.config.schedule, &card)?;
        Ok(())
    }

    fn sampler(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        Ready::model(&Bundle::open(result)?, &self.device).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_prefix() {
        let zero = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap_or_else(|_| unreachable!());
        let all = [("unet.a.b", &zero), ("text_encoder.a", &zero)]
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .into();
        assert_eq!(part(&all, UNET).into_keys().collect::<Vec<_>>(), ["a.b"]);
        assert_eq!(part(&all, TEXT).into_keys().collect::<Vec<_>>(), ["a"]);
    }
}
