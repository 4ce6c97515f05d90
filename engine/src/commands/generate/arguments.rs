//! The options of `skiagraph-engine generate`.

use std::path::PathBuf;

use skiagraph_engine::dicom::{TransferSyntax, WriteOptions};
use skiagraph_engine::nn::WeightForm;

use super::parse::pair;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The model's folder.
    #[arg(long)]
    pub(super) model: PathBuf,
    /// How UNet and ControlNets hold their weights, full or int8: in eight bits those of their layers fill a quarter of f32, on the
    /// CPU alone, and images come out a little different.
    #[arg(long, default_value = WeightForm::Full.name(), value_name = "FORM")]
    pub(super) weights: WeightForm,
    /// Free words, after what the options below say.
    #[arg(long)]
    pub(super) prompt: Option<String>,
    /// A finding, with place and severity after colons: pneumonia:right_lower_lobe:severe; may be
    /// given again.
    #[arg(long)]
    pub(super) finding: Vec<String>,
    /// child or adult.
    #[arg(long)]
    pub(super) age_group: Option<String>,
    /// female, male or other.
    #[arg(long)]
    pub(super) sex: Option<String>,
    /// AP, PA …
    #[arg(long)]
    pub(super) view: Option<String>,
    /// How it was taken or recorded: portable, digital, film …
    #[arg(long)]
    pub(super) style: Option<String>,
    /// What the images should not show.
    #[arg(long)]
    pub(super) negative: Option<String>,
    /// An adapter's folder or .safetensors file, or a prefix's folder, with its scale after a colon; may be
    /// given again.
    #[arg(long, value_name = "PATH:SCALE")]
    pub(super) lora: Vec<String>,
    /// A concept's folder, with its scale after a colon; may be given again.
    #[arg(long, value_name = "PATH:SCALE")]
    pub(super) concept: Vec<String>,
    /// A picture (DICOM, PNG or JPEG) that shows the concept, in place of what its images have in common.
    #[arg(long, requires = "concept", value_name = "FILE")]
    pub(super) concept_image: Option<PathBuf>,
    /// A word that was learned beside the model's vocabulary (textual inversion): a .safetensors file or its
    /// folder, with the word in prompts after a colon where it is not the file's own; may be given again.
    #[arg(long, value_name = "PATH[:WORD]")]
    pub(super) embedding: Vec<String>,
    /// Seed of the first image.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Denoising steps; the model's card knows a good number.
    #[arg(long)]
    pub(super) steps: Option<u32>,
    /// Strength of guidance; the model's card knows a good one.
    #[arg(long)]
    pub(super) guidance: Option<f32>,
    /// How far guidance is brought back to the spread of the unguided prediction, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub(super) guidance_rescale: f32,
    /// Columns; without it the model's own size.
    #[arg(long, requires = "height")]
    pub(super) width: Option<u32>,
    /// Rows; without it the model's own size.
    #[arg(long, requires = "width")]
    pub(super) height: Option<u32>,
    /// A picture to start from: DICOM, PNG or JPEG.
    #[arg(long, value_name = "FILE")]
    pub(super) init: Option<PathBuf>,
    /// What of that picture is made anew, white on black.
    #[arg(long, requires = "init", value_name = "FILE")]
    pub(super) mask: Option<PathBuf>,
    /// The share of the steps that is taken from that picture, above 0 and up to 1: little keeps it.
    #[arg(long, requires = "init", default_value_t = 0.8)]
    pub(super) strength: f64,
    /// A diffusers scheduler by the name of its class (DDIM, Euler, DPMSolverMultistep …) with the model's
    /// own settings, or a scheduler_config.json.
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) scheduler: Option<String>,
    /// A ControlNet or T2I-Adapter beside the model's own, a folder in the diffusers layout; may be given
    /// again.
    #[arg(long, value_name = "FOLDER")]
    pub(super) control_network: Vec<PathBuf>,
    /// A picture that leads the anatomy: KIND is mask (or lungmask), edges (of a radiograph), sketch or ready. It
    /// goes to the control network whose card says that it was taught this kind; where none says so, the n-th
    /// goes to the n-th, the model's own first.
    #[arg(long, value_name = "KIND=FILE[:WEIGHT[@START-END]]")]
    pub(super) control: Vec<String>,
    /// An IP-Adapter's .safetensors file, which reads image prompts.
    #[arg(long, requires = "image_encoder", value_name = "FILE")]
    pub(super) ip_adapter: Option<PathBuf>,
    /// The folder of the image encoder that it was trained with.
    #[arg(long, requires = "ip_adapter", value_name = "FOLDER")]
    pub(super) image_encoder: Option<PathBuf>,
    /// A picture (DICOM, PNG or JPEG) that shows what is wanted, with its scale after a colon; may be given
    /// again.
    #[arg(long, requires = "ip_adapter", value_name = "FILE[:SCALE]")]
    pub(super) image_prompt: Vec<String>,
    /// η of DDIM: 0 adds no noise on the way, 1 as much as DDPM.
    #[arg(long, default_value_t = 0.0)]
    pub(super) eta: f64,
    /// Layers of the text encoder that are left out at its end, for the prompt.
    #[arg(long, default_value_t = 0, value_name = "LAYERS")]
    pub(super) clip_skip: usize,
    /// Timesteps in place of the scheduler's, from noise to image: 999,749,499 …
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["steps", "sigmas"])]
    pub(super) timesteps: Vec<u32>,
    /// Noise levels in place of the scheduler's, from noise to image, one more than steps: 14.6,5.1,0
    #[arg(long, value_delimiter = ',', conflicts_with = "steps")]
    pub(super) sigmas: Vec<f64>,
    /// ControlNets lead the prompt's side alone, and the shallow layers less: for images with hardly a word.
    #[arg(long)]
    pub(super) guess_mode: bool,
    /// For SDXL, the size that the picture should seem to have had; without it that of the image.
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = pair)]
    pub(super) original_size: Option<(u32, u32)>,
    /// For SDXL, how far from the top and from the left the picture should seem cropped.
    #[arg(long, value_name = "TOP,LEFT", value_parser = pair)]
    pub(super) crop: Option<(u32, u32)>,
    /// For SDXL, the size that the picture should seem brought to; without it that of the image.
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = pair)]
    pub(super) target_size: Option<(u32, u32)>,
    /// For SDXL, the original size to lead away from.
    #[arg(long, requires = "negative_target_size", value_name = "HEIGHTxWIDTH", value_parser = pair)]
    pub(super) negative_original_size: Option<(u32, u32)>,
    /// For SDXL, the crop to lead away from.
    #[arg(long, requires = "negative_original_size", value_name = "TOP,LEFT", value_parser = pair)]
    pub(super) negative_crop: Option<(u32, u32)>,
    /// For SDXL, the target size to lead away from.
    #[arg(long, requires = "negative_original_size", value_name = "HEIGHTxWIDTH", value_parser = pair)]
    pub(super) negative_target_size: Option<(u32, u32)>,
    /// How many images.
    #[arg(long, default_value_t = 1)]
    pub(super) count: u32,
    /// A PNG or DICOM file of ours, which is made again: everything comes from the file. Its adapters,
    /// embeddings and pictures are named as they were (--lora, --embedding, --init, --mask, --control,
    /// --image-prompt, --watermark-key), and known by their hashes.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "prompt", "finding", "age_group", "sex", "view", "style", "negative", "seed", "steps", "guidance",
        "guidance_rescale", "width", "height", "strength", "scheduler", "eta", "clip_skip", "timesteps",
        "sigmas", "guess_mode", "original_size", "crop", "target_size", "negative_original_size",
        "negative_crop", "negative_target_size", "count", "no_watermark",
    ])]
    pub(super) replay: Option<PathBuf>,
    /// Bits of the DICOM objects' pixels, 12 to 16.
    #[arg(long, default_value_t = WriteOptions::default().bits, value_parser = clap::value_parser!(u16).range(12..=16))]
    pub(super) bits: u16,
    /// How the DICOM objects are compressed, without a loss: explicit (not at all), deflated, rle or jpeg-ls.
    #[arg(long, default_value = TransferSyntax::Explicit.name(), value_name = "NAME")]
    pub(super) transfer_syntax: TransferSyntax,
    /// Beside every image the mask that it follows (--control lungmask=FILE), as a DICOM Segmentation.
    #[arg(long, requires = "control")]
    pub(super) segmentation: bool,
    /// Leave out the mark in the pixels by which an image is known again after its file's words are gone.
    #[arg(long, conflicts_with = "watermark_key")]
    pub(super) no_watermark: bool,
    /// A file of 16 bytes or more, which is the secret that the mark is made with, in place of the key that
    /// everybody has: who verifies an image needs it too.
    #[arg(long, value_name = "FILE")]
    pub(super) watermark_key: Option<PathBuf>,
    /// The certificate chain (PEM, the signer's first) of the PNGs' content credentials (C2PA); without it they
    /// get none.
    #[arg(long, requires = "credential_key", value_name = "FILE")]
    pub(super) credential_certificate: Option<PathBuf>,
    /// The private key of that certificate (PEM, PKCS #8).
    #[arg(long, requires = "credential_certificate", value_name = "FILE")]
    pub(super) credential_key: Option<PathBuf>,
    /// The folder that the images go to, as DICOM and PNG.
    #[arg(long)]
    pub(super) out: PathBuf,
}
