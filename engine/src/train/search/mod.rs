//! Which layers an adapter should change, and at what rank: importance pruning under a budget, after AdaLoRA
//! (Zhang et al., arXiv 2303.10512).
//!
//! An adapter that is wide on every target is trained for a while, and every component (a row of the factor
//! down with its column of the factor up) is watched. Those that matter most for what they cost are kept. A
//! search is a folder: `search.json` with its configuration, the run `supernet/`, the adapter `kept/`, the plain
//! configuration `lora.toml` of a run that goes on from it, that run in `trained/`, the run `uniform/` that it is
//! compared with, and `report.json`.

mod budget;
mod config;
mod supernet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::{Deserialize, Serialize};

use self::budget::{Cost, keep, total};
pub use self::config::{Measure, SearchConfig};
use self::supernet::{IMPORTANCE, SuperNet, costs};
use super::config::{Task, TrainConfig};
use super::error::TrainError;
use super::event::TrainEvent;
use super::folder::check_same;
use super::lora::{LoraConfig, LoraTask, Targets, adapter_config};
use super::run::{Start, run, train};
use super::trainee::Trainee;
use super::whole::{Moving, Whole};
use crate::adapter::{AdaptedLayer, Adapter, AdapterConfig, Component, Method, Patterns};
use crate::device::CancelToken;
use crate::files;
use crate::model::{read_json, write_json};

/// A layer of the adapter that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundLayer {
    /// `unet` or `text_encoder`.
    pub network: &'static str,
    /// Its path.
    pub path: String,
    /// Components that were kept; 0 where the layer stays as it is.
    pub rank: usize,
    /// Rows that go through it in one call.
    pub rows: u64,
    /// Multiply-adds of its change in one call.
    pub multiply_adds: u64,
}

/// What an adapter costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterCost {
    /// Multiply-adds in one call of the networks for one image.
    pub multiply_adds: u64,
    /// Trained weights.
    pub parameters: u64,
}

/// Losses on held-out patients, each with the same noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Of the untouched base.
    pub base: f32,
    /// With the widest adapter.
    pub supernet: f32,
    /// With what was kept of it.
    pub kept: f32,
    /// With that, trained on.
    pub trained: Option<f32>,
    /// With the adapter of one rank, trained for as many steps in all.
    pub uniform: Option<f32>,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchReport {
    /// What the adapter of rank `rank` on every target costs.
    pub uniform: AdapterCost,
    /// What the adapter that was found costs.
    pub kept: AdapterCost,
    /// The share of the multiply-adds that is saved.
    pub saved: f64,
    /// Losses on held-out patients.
    pub held_out: HeldOut,
    /// Every target, with what was kept of it.
    pub layers: Vec<FoundLayer>,
    /// The plain configuration of the adapter that was found.
    pub config: PathBuf,
}

/// Searches as the table `search` of `config` says; `on_event` hears of every run, by its folder's name. A
/// search that goes on begins its unfinished run anew where that is the supernet, and takes the others from
/// their last checkpoints.
///
/// # Errors
/// Bad values are found before anything is written.
pub fn search(
    config: &TrainConfig,
    resume: bool,
    device: &Device,
    on_event: &mut dyn FnMut(&'static str, TrainEvent),
    cancel: &CancelToken,
) -> Result<SearchReport, TrainError> {
    let wanted = check(config)?;
    let said = config.out.join("search.json");
    if said.exists() && resume {
        check_same(&said, config)?;
    } else if said.exists() {
        let cause = format!(
            "{} holds a search already: resume it, or choose another folder",
            config.out.display()
        );
        return Err(TrainError::Config { field: "out", cause });
    }
    let uniform = adapter_config(config);
    let whole = Whole::open(config, Moving::default(), device)?;
    // A layer that is smaller than the widest rank has its own size for one.
    let sizes = AdapterConfig { rank: 1, ..uniform.clone() }.layers(&whole.networks())?;
    uniform.layers(&whole.networks())?;
    let costs = costs(&whole, &sizes, device)?;
    drop(whole);
    let ranks: Vec<usize> = sizes.iter().map(|layer| rank_at_most(layer, &wanted)).collect();
    let one = scale_of_one(config);
    let widest = with_ranks(config, &sizes, &ranks, one);
    let supernet = TrainConfig {
        steps: wanted.steps,
        out: config.out.join("supernet"),
        name: format!("{} supernet", config.name).trim().to_owned(),
        ..widest
    };
    let result = supernet.out.join("result");
    let layers: Vec<AdaptedLayer> = sizes
        .iter()
        .zip(&ranks)
        .map(|(layer, rank)| AdaptedLayer { rank: *rank, ..layer.clone() })
        .collect();
    if !result.join(IMPORTANCE).is_file() {
        let task = LoraTask::new(&supernet, device, cancel)?;
        // What was seen of the components is only whole at the end.
        if supernet.out.exists() {
            std::fs::remove_dir_all(&supernet.out)
                .map_err(|cause| TrainError::file(&supernet.out, cause))?;
        }
        std::fs::create_dir_all(&config.out)
            .map_err(|cause| TrainError::file(&config.out, cause))?;
        write_json(&said, config)?;
        let watched = SuperNet::new(task, layers.clone(), wanted.smoothing);
        let mut hear = |event| on_event("supernet", event);
        train(&supernet, &watched, Start::default(), &mut hear, cancel)?;
    }
    let importance: Vec<Vec<f64>> = read_json(&result.join(IMPORTANCE))?;
    let widest = Adapter::open(&result)?;

    let even = vec![config.rank; costs.len()];
    let budget = (total(&costs, &even, wanted.measure) as f64 * wanted.share) as u64;
    let kept = keep(&costs, &importance, wanted.measure, budget);
    let ranks: Vec<usize> = kept.iter().map(Vec::len).collect();
    if ranks.iter().all(|rank| *rank == 0) {
        let cause = "leaves room for no component: give a larger share, or more steps";
        return Err(TrainError::Config { field: "search.share", cause: cause.into() });
    }
    let found = found(config, &sizes, &ranks, one);
    write_kept(&found, &widest, &layers, &kept, &config.out)?;
    let text = toml::to_string(&found)
        .map_err(|cause| TrainError::file(config.out.join("lora.toml"), cause))?;
    let plain = config.out.join("lora.toml");
    files::replace(&plain, text.as_bytes()).map_err(|cause| TrainError::file(&plain, cause))?;

    let held_out = held_out(config, &wanted, &found, &widest, device, on_event, cancel)?;
    let report = report(&costs, &sizes, &even, &ranks, held_out, plain);
    write_json(&config.out.join("report.json"), &report)?;
    Ok(report)
}

/// Multiply-adds of the adapter that a run trains, in one call of the networks for one image; `None` where it trains
/// another thing than a LoRA, for whose changes the layers' sides alone do not tell.
pub(super) fn multiply_adds(
    config: &TrainConfig,
    device: &Device,
) -> Result<Option<u64>, TrainError> {
    let wanted = adapter_config(config);
    if config.task != Task::Lora || wanted.method != Method::Lora {
        return Ok(None);
    }
    let whole = Whole::open(config, Moving::default(), device)?;
    let layers = wanted.layers(&whole.networks())?;
    let ranks: Vec<usize> = layers.iter().map(|layer| layer.rank).collect();
    Ok(Some(total(&costs(&whole, &layers, device)?, &ranks, Measure::MultiplyAdds)))
}

/// # Errors
/// Where a value cannot be used, or says what the search is to find.
fn check(config: &TrainConfig) -> Result<SearchConfig, TrainError> {
    let fault = |field, cause: &str| Err(TrainError::Config { field, cause: cause.to_owned() });
    if config.task != Task::Lora {
        return fault("task", "must be lora: its layers and ranks are searched for");
    }
    let own = config.lora.clone().unwrap_or_default();
    if own.method != Method::Lora {
        return fault("lora.method", "must be lora: the components of others are not apart");
    }
    let says = !own.rank_pattern.0.is_empty() || !own.alpha_pattern.0.is_empty();
    if says || own.start.is_some() {
        return fault(
            "lora.rank_pattern",
            "is what is searched for, as are alpha_pattern and start",
        );
    }
    let wanted = config.search.clone().unwrap_or_default();
    wanted.validate()?;
    TrainConfig { search: None, ..config.clone() }.validate()?;
    Ok(wanted)
}

fn rank_at_most(layer: &AdaptedLayer, wanted: &SearchConfig) -> usize {
    wanted.most_rank.min(layer.inputs).min(layer.outputs)
}

/// By what the adapter of one rank multiplies its changes: every component keeps this scale, whatever stands
/// beside it.
fn scale_of_one(config: &TrainConfig) -> f64 {
    let stabilised = config.lora.as_ref().is_some_and(|own| own.use_rslora);
    let rank = config.rank as f64;
    config.alpha / if stabilised { rank.sqrt() } else { rank }
}

/// `config` with a rank of its own for every layer, in its whole path, and the α that keeps `scale`. Layers
/// of rank 0 are left out.
fn with_ranks(
    config: &TrainConfig,
    layers: &[AdaptedLayer],
    ranks: &[usize],
    scale: f64,
) -> TrainConfig {
    let own = config.lora.clone().unwrap_or_default();
    let alpha = |rank: usize| {
        let rank = rank as f64;
        scale * if own.use_rslora { rank.sqrt() } else { rank }
    };
    let usual = most_common(ranks);
    let mut targets = Targets::default();
    let (mut rank_pattern, mut alpha_pattern) = (Vec::new(), Vec::new());
    for (layer, rank) in layers.iter().zip(ranks).filter(|(_, rank)| **rank > 0) {
        match layer.component {
            Component::Unet => targets.unet.push(layer.path.clone()),
            Component::TextEncoder | Component::TextEncoder2 => {
                targets.text_encoder.push(layer.path.clone());
            }
        }
        if *rank != usual {
            rank_pattern.push((format!("^{}", layer.pattern()), *rank));
            alpha_pattern.push((format!("^{}", layer.pattern()), alpha(*rank)));
        }
    }
    TrainConfig {
        rank: usual,
        alpha: alpha(usual),
        search: None,
        lora: Some(LoraConfig {
            targets: Some(targets),
            rank_pattern: Patterns(rank_pattern),
            alpha_pattern: Patterns(alpha_pattern),
            ..own
        }),
        ..config.clone()
    }
}

fn most_common(ranks: &[usize]) -> usize {
    let mut counts = BTreeMap::new();
    for rank in ranks.iter().filter(|rank| **rank > 0) {
        *counts.entry(*rank).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(rank, count)| (*count, *rank)).map_or(1, |(rank, _)| rank)
}

/// The plain configuration of what was found, which goes on from what was kept.
fn found(
    config: &TrainConfig,
    layers: &[AdaptedLayer],
    ranks: &[usize],
    scale: f64,
) -> TrainConfig {
    let mut found = with_ranks(config, layers, ranks, scale);
    found.out = config.out.join("trained");
    if let Some(own) = &mut found.lora {
        own.start = Some(config.out.join("kept"));
    }
    found
}

/// Writes the components of `widest` that were kept as an adapter, in place of one that is there.
fn write_kept(
    found: &TrainConfig,
    widest: &Adapter,
    layers: &[AdaptedLayer],
    kept: &[Vec<usize>],
    out: &Path,
) -> Result<(), TrainError> {
    let folder = out.join("kept");
    let fault = |cause| TrainError::file(&folder, cause);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(fault)?;
    }
    let pending = files::PendingFolder::beside(&folder).map_err(fault)?;
    let narrow = widest.narrowed(&adapter_config(found), layers, kept)?;
    let card = widest.card().cloned().unwrap_or_default();
    narrow.save_trained(pending.path(), &card)?;
    pending.publish().map_err(fault)
}

fn held_out(
    config: &TrainConfig,
    wanted: &SearchConfig,
    found: &TrainConfig,
    widest: &Adapter,
    device: &Device,
    on_event: &mut dyn FnMut(&'static str, TrainEvent),
    cancel: &CancelToken,
) -> Result<HeldOut, TrainError> {
    let card = widest.card().cloned().unwrap_or_default();
    let kept = LoraTask::new(found, device, cancel)?.validation_loss()?;
    let mut trained = None;
    if wanted.train {
        let mut hear = |event| on_event("trained", event);
        let summary = run(found, true, device, &mut hear, cancel)?;
        trained = Some(summary.validation_loss_after);
    }
    let mut uniform = None;
    if wanted.compare {
        let more = if wanted.train { config.steps } else { 0 };
        let even = TrainConfig {
            out: config.out.join("uniform"),
            steps: wanted.steps + more,
            search: None,
            ..config.clone()
        };
        let mut hear = |event| on_event("uniform", event);
        let summary = run(&even, true, device, &mut hear, cancel)?;
        uniform = Some(summary.validation_loss_after);
    }
    Ok(HeldOut {
        base: card.validation_loss_before,
        supernet: card.validation_loss_after,
        kept,
        trained,
        uniform,
    })
}

fn report(
    costs: &[Cost],
    layers: &[AdaptedLayer],
    even: &[usize],
    ranks: &[usize],
    held_out: HeldOut,
    config: PathBuf,
) -> SearchReport {
    let of = |ranks: &[usize]| AdapterCost {
        multiply_adds: total(costs, ranks, Measure::MultiplyAdds),
        parameters: total(costs, ranks, Measure::Parameters),
    };
    let (uniform, kept) = (of(even), of(ranks));
    let layers = layers.iter().zip(costs).zip(ranks).map(|((layer, cost), rank)| FoundLayer {
        network: layer.component.folder(),
        path: layer.path.clone(),
        rank: *rank,
        rows: cost.rows,
        multiply_adds: cost.of_one(Measure::MultiplyAdds) * *rank as u64,
    });
    SearchReport {
        uniform,
        kept,
        saved: 1.0 - kept.multiply_adds as f64 / uniform.multiply_adds.max(1) as f64,
        held_out,
        layers: layers.collect(),
        config,
    }
}

#[cfg(test)]
mod tests;
