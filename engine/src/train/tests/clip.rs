//! The image–text pair after its training; gradients and kills are tested with all tasks'.

use super::*;
use crate::dicom::Frame;
use crate::model::{Clip, PartCard, VisionEncoder};

#[test]
fn a_pair_learns_which_caption_is_an_images() {
    let desk = Desk::new();
    let mut config = TrainConfig {
        steps: 200,
        batch_size: 12,
        learning_rate: 1e-3,
        validate_every: 200,
        checkpoint_every: 200,
        average_decay: 0.9,
        ..desk.config(Task::Clip, "run")
    };
    // The set's images differ in brightness and place alone.
    let own = config.clip.as_mut().unwrap();
    (own.shift, own.contrast) = (0.0, 0.0);
    let mut losses = Vec::new();
    let mut on_event = |event: TrainEvent| {
        if let TrainEvent::Step { loss, .. } = event {
            losses.push(loss);
        }
    };
    let summary = run(&config, false, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
    assert!(last < first - 0.1, "{first} to {last}: {losses:?}");

    let card = PartCard::of(&summary.output).unwrap().unwrap();
    assert_eq!((card.kind.as_str(), card.base_sha256.as_str()), ("clip", ""));
    assert!((0.0..=1.0).contains(&card.figures["caption_of_image_accuracy"]));
    assert!(card.figures["captions_held_out"] >= 2.0);
}

#[test]
fn the_result_says_how_well_a_picture_and_a_sentence_agree() {
    let desk = Desk::new();
    let config = desk.config(Task::Clip, "run");
    let summary = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    // As it lies, and as a part of a bundle.
    std::fs::create_dir(desk.at("bundle")).unwrap();
    std::fs::rename(&summary.output, desk.at("bundle/clip")).unwrap();
    let open = |name: &str| Clip::open(&desk.at(name), &Device::Cpu).unwrap();
    let pixels = (0..40 * 32).map(|pixel| (pixel % 40) as f32 / 40.0).collect();
    let picture = Frame { width: 40, height: 32, pixels };
    let agreement = |name: &str, text: &str| open(name).agreement(&picture, text).unwrap();
    let sentences = ["chest radiograph, normal", "chest radiograph, pneumonia"];
    let [one, other] = sentences.map(|text| agreement("bundle", text));
    assert!((-1.0..=1.0).contains(&one) && (one - other).abs() > 1e-6, "{one} {other}");
    assert_eq!(agreement("bundle/clip", sentences[0]).to_bits(), one.to_bits());
    // What reads whole CLIP models reads it, too.
    VisionEncoder::open(&desk.at("bundle/clip"), &Device::Cpu).unwrap();
    std::fs::remove_file(desk.at("bundle/clip/vocab.json")).unwrap();
    assert!(Clip::open(&desk.at("bundle"), &Device::Cpu).is_err());
}
