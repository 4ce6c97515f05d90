//! What networks make of a text is made once a generation, and belongs to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::nn::Delta;

/// Counts how often its layer computes, and adds `value` to every number.
struct Counting {
    calls: AtomicUsize,
    output: usize,
    value: f32,
}

impl Delta for Counting {
    fn forward(&self, x: &Tensor, _y: &Tensor) -> candle_core::Result<Tensor> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut shape = x.dims().to_vec();
        *shape.last_mut().unwrap() = self.output;
        Tensor::full(self.value, shape, x.device())
    }
}

/// Fills the slots of the layers whose path ends in `end`. What stands in them, by the path.
fn fill(pipeline: &Pipeline, end: &str, value: f32) -> BTreeMap<String, Arc<Counting>> {
    let weights = pipeline.networks().unet;
    let shapes = weights.shapes();
    let slots = weights.slots();
    let slots = slots.iter().filter(|(path, _)| path.ends_with(end));
    let filled: BTreeMap<_, _> = slots
        .map(|(path, slot)| {
            let output = shapes[&format!("{path}.weight")][0];
            let counting = Arc::new(Counting { calls: AtomicUsize::new(0), output, value });
            slot.fill(vec![counting.clone()]);
            (path.clone(), counting)
        })
        .collect();
    assert!(filled.len() > 2, "{} layers end in {end}", filled.len());
    filled
}

#[test]
fn keys_and_values_of_the_text_are_made_once_a_generation() {
    let pipeline = Desk::new().load().unwrap();
    let plain = image(&pipeline, &request()).unwrap();
    let of_text: Vec<_> =
        ["attn2.to_k", "attn2.to_v"].map(|end| fill(&pipeline, end, 0.0)).into_iter().collect();
    let of_places = fill(&pipeline, "attn2.to_q", 0.0);
    for generation in 1..=2 {
        assert_eq!(image(&pipeline, &request()).unwrap(), plain);
        for (path, layer) in of_text.iter().flatten() {
            assert_eq!(layer.calls.load(Ordering::Relaxed), generation, "{path}");
        }
        for (path, layer) in &of_places {
            let steps = request().steps;
            assert_eq!(layer.calls.load(Ordering::Relaxed), generation * steps, "{path}");
        }
    }
}

#[test]
fn what_is_put_on_or_said_between_generations_is_seen() {
    let desk = Desk::new();
    let pipeline = desk.load().unwrap();
    let other = Request { prompt: "chest radiograph, edema".into(), ..request() };
    let plain = image(&pipeline, &request()).unwrap();
    fill(&pipeline, "attn2.to_v", 0.7);
    let changed = image(&pipeline, &request()).unwrap();
    let of_other = image(&pipeline, &other).unwrap();
    assert_ne!(changed, plain);
    // A model that never made another image makes the same ones.
    let fresh = desk.load().unwrap();
    fill(&fresh, "attn2.to_v", 0.7);
    assert_eq!(image(&fresh, &other).unwrap(), of_other);
    assert_eq!(image(&fresh, &request()).unwrap(), changed);
    for slot in pipeline.networks().unet.slots().values() {
        slot.fill(Vec::new());
    }
    assert_eq!(image(&pipeline, &request()).unwrap(), plain);
}
