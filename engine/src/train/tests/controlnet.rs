//! What belongs to ControlNets alone; their gradients and kills are tested with all tasks'.

use super::*;
use crate::dicom::{Frame, read_provenance};
use crate::model::{Bundle, PartCard};
use crate::sample::{Control, Pipeline, Request, generate};

#[test]
fn a_fresh_network_changes_nothing_and_has_the_bases_way_down() {
    let desk = Desk::new();
    let base = desk.trainee(Task::Lora).validation_loss().unwrap();
    let fresh = desk.trainee(Task::Controlnet);
    assert_eq!(fresh.validation_loss().unwrap().to_bits(), base.to_bits());
    let (_, weights) = Bundle::open(&desk.at("model")).unwrap().unet(true, &Device::Cpu).unwrap();
    let of_base = weights.variables();
    let copied = fresh.variables().iter().filter_map(|(name, own)| Some((own, of_base.get(name)?)));
    let values = |variable: &Var| {
        variable.as_detached_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let mut count = 0;
    for (own, base) in copied {
        assert_eq!(values(own), values(base));
        count += 1;
    }
    let downwards = |name: &&String| {
        !name.starts_with("up_") && !name.starts_with("conv_") || name.starts_with("conv_in")
    };
    assert_eq!(count, of_base.keys().filter(downwards).count());
}

#[test]
fn no_gradient_of_a_frozen_weight_is_computed() {
    let desk = Desk::new();
    let trainee = desk.trainee(Task::Controlnet);
    shake(trainee.as_ref());
    let gradients = trainee.loss(1).unwrap().backward().unwrap();
    let trained: Vec<_> = trainee.variables().values().map(|v| v.as_tensor().id()).collect();
    let mut others = 0;
    for id in gradients.get_ids().filter(|id| !trained.contains(id)) {
        // What else has one is of the batch: the target, and what the frozen way down gave.
        let dims = gradients.get_id(*id).unwrap().dims();
        assert!(dims.is_empty() || dims[0] == 3, "a gradient of {dims:?}");
        others += 1;
    }
    assert!(others < trained.len(), "{others} of {}", trained.len());
}

#[test]
fn fifty_steps_with_a_kill_between_are_fifty_steps() {
    goes_on_after_a_kill(&Desk::new(), Task::Controlnet, 50, 37);
}

/// Grey values of an image that the result in `folder` leads with `weight`.
fn led(pipeline: &Pipeline, weight: Option<f64>) -> Vec<f32> {
    let pixels = (0..32 * 32).map(|pixel| if pixel % 32 < 16 { 1.0 } else { 0.0 }).collect();
    let image = Frame { width: 32, height: 32, pixels };
    let control = |weight| Control { network: 0, image, weight, start: 0.0, end: 1.0 };
    let request = Request {
        prompt: "chest radiograph, normal".into(),
        seed: 1,
        steps: 3,
        guidance_scale: 2.0,
        controls: weight.map(control).into_iter().collect(),
        ..Request::default()
    };
    generate(pipeline, &request, 0, &mut |_| (), &CancelToken::new()).unwrap().pixels
}

#[test]
fn the_result_leads_its_own_base_and_no_other() {
    let desk = Desk::new();
    let config = desk.config(Task::Controlnet, "run");
    let before = Bundle::open(&config.model).unwrap();
    let summary = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    let model = Bundle::open(&config.model).unwrap();
    assert_eq!(before.card().weights_sha256, model.card().weights_sha256);

    let card = PartCard::of(&summary.output).unwrap().unwrap();
    assert_eq!(card.condition.as_deref(), Some("mask"));
    assert_eq!(card.base_sha256, model.card().weights_sha256);
    assert!(card.figures["validation_loss_without_condition"].is_finite());
    let mut pipeline = Pipeline::load(&model, &Device::Cpu).unwrap();
    let alone = led(&pipeline, None);
    pipeline.add_control(&summary.output).unwrap();
    assert_eq!(pipeline.control_conditions(), [Some("mask".to_owned())]);
    assert_eq!(led(&pipeline, Some(0.0)), alone);
    assert_ne!(led(&pipeline, Some(1.0)), alone);

    write_tiny(&desk.at("other"), &["chest radiograph".to_owned()], 4).unwrap();
    let mut other =
        Pipeline::load(&Bundle::open(&desk.at("other")).unwrap(), &Device::Cpu).unwrap();
    let error = other.add_control(&summary.output).unwrap_err().to_string();
    assert!(error.contains("is for another base"), "{error}");
}

#[test]
fn pictures_on_the_way_stand_behind_what_leads_them() {
    let desk = Desk::new();
    let config = TrainConfig {
        sample_every: 6,
        sample_prompts: vec!["chest radiograph, normal".into(); 3],
        sample_steps: 2,
        ..desk.config(Task::Controlnet, "run")
    };
    run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    let png = std::fs::read(config.out.join("samples/step-00000006.png")).unwrap();
    let sheet = image::load_from_memory(&png).unwrap().into_luma8();
    // Three pairs of 32 pixels a side, two in a row.
    assert_eq!(sheet.dimensions(), (4 * 32, 2 * 32));
    let dataset = Dataset::open(&desk.dataset).unwrap();
    let masks: Vec<_> = dataset
        .samples(Split::Validation)
        .into_iter()
        .filter_map(|sample| dataset.mask_square(sample, 32).unwrap())
        .collect();
    for number in 0..3u32 {
        let (left, top) = (64 * (number % 2), 32 * (number / 2));
        let found = image::imageops::crop_imm(&sheet, left, top, 32, 32).to_image();
        let mask = &masks[number as usize % masks.len()];
        for (found, inside) in found.pixels().zip(mask) {
            assert_eq!(found.0[0] > 127, *inside > 0.0, "picture {number}");
        }
    }
    let told = read_provenance(&png).unwrap().provenance.inputs;
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|input| input.control.is_some()), "{told:?}");
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let desk = Desk::new();
    let (_keep, bare) = small_set();
    let refused = |change: &dyn Fn(&mut ControlnetConfig), word: &str| {
        let mut config = desk.config(Task::Controlnet, "run");
        change(config.controlnet.as_mut().unwrap());
        let error = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists(), "{word}");
    };
    refused(&|own| own.kind = ControlKind::Ready, "controlnet.kind");
    refused(&|own| own.condition_dropout = 1.0, "condition_dropout");
    refused(&|own| own.embedding_channels = Some(vec![8, 8]), "embedding_channels");
    refused(&|own| own.conditioning_channels = Some(0), "conditioning_channels");
    let config = TrainConfig { dataset: bare, ..desk.config(Task::Controlnet, "run") };
    let error = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(error.to_string().contains("no mask"), "{error}");
}
