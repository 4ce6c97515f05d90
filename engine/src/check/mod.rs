//! Whether a bundle computes what the original library computes: its parts, run on the inputs of a
//! reference file, against the outputs in it.
//!
//! A reference file is a safetensors file. It holds, for the parts that it covers (`b` the batch, `h` and
//! `w` of the latent):
//!
//! | part | inputs | outputs |
//! |---|---|---|
//! | `unet` | `unet/in/sample` `[b, c, h, w]`, `timestep` (one, or `b`), `encoder_hidden_states` `[b, n, width]`; for Stable Diffusion XL also `text_embeds`, `time_ids`; of a ControlNet `down_0` …, `mid` | `unet/out/sample` |
//! | `controlnet`, `controlnet_1` … | as of the UNet, and `controlnet_cond` `[b, 3, H, W]` | `controlnet/out/down_0` …, `mid` |
//! | `vae` | `vae/in/latent`, not scaled; `vae/in/image`, −1 to 1 | `vae/out/image`; `vae/out/mean` |
//! | `text`, `text_2` | `text/in/input_ids` `[b, n]` | `text/out/last_hidden_state`, `pooled`, `penultimate` |
//! | `scheduler` | `scheduler/in/noise`, `model_outputs` (steps first), `noise_0` … (the draws of the steps) | `scheduler/out/trajectory` (the sample after each step) |
//! | `pipeline` | `pipeline/in/noise` `[b, c, h, w]` | `pipeline/out/image` `[b, 3, H, W]`, 0 to 1 |
//!
//! Its metadata holds what is no tensor: `prompt`, `negative_prompt`, `steps`, `guidance_scale`,
//! `scheduler` (a configuration as JSON, in place of the bundle's) and `lora` (path and scale).

mod adapters;
mod error;
mod networks;
mod pipeline;
mod reference;
mod report;
mod scheduler;

use std::path::Path;

use candle_core::Device;

use crate::model::Bundle;

pub use error::CheckError;
pub use reference::Reference;
pub use report::{Measured, PartReport, Report};

/// Runs the parts of the model in `folder` on the inputs of the reference file at `path`, and measures
/// the largest deviation of every output from the expected one, as a share of the expected one's
/// largest value.
///
/// The folder needs to hold the parts that the file covers and nothing else: no card, and where it covers
/// one part alone, the folder may be that part.
///
/// # Errors
/// Where the file or the folder cannot be used: a part that is not there, a tensor that is missing or of
/// another shape than the model's or belongs to a part and is none of its inputs and outputs, values that are
/// no numbers, metadata that cannot be read.
pub fn check(
    folder: &Path,
    path: &Path,
    tolerance: f64,
    device: &Device,
) -> Result<Report, CheckError> {
    let reference = Reference::open(path)?;
    let bundle = Bundle::of_parts(folder)?;
    let mut parts = Vec::new();
    for part in reference.parts() {
        let measured = match part.as_str() {
            "unet" => networks::unet(&bundle, &reference, tolerance, device)?,
            "vae" => networks::vae(&bundle, &reference, device)?,
            "text" | "text_2" => networks::text(&bundle, &part, &reference, tolerance, device)?,
            "scheduler" => scheduler::run(&bundle, &reference, tolerance, device)?,
            "pipeline" => pipeline::run(folder, &reference, tolerance, device)?,
            other => match reference::controlnet(other) {
                Some(index) => networks::controlnet(&bundle, index, &part, &reference, device)?,
                None => return Err(CheckError::reference(part, "is no part that is known")),
            },
        };
        parts.push(PartReport::new(part, measured, tolerance));
    }
    if parts.is_empty() {
        return Err(CheckError::File {
            path: path.to_owned(),
            cause: "covers no part: it has no tensor such as unet/in/sample".into(),
        });
    }
    Ok(Report::new(parts, tolerance, reference.unread()?))
}
