//! The autoencoder's losses beyond pixels, and its residual changes of size.

use super::super::vae::VaeTask;
use super::*;
use crate::nn::gradients::{check_gradients, shake};

/// A desk with a trained classifier, and a configuration with every loss.
pub(super) fn with_every_loss(desk: &Desk, out: &str) -> TrainConfig {
    let judge = desk.at("judge-run");
    if !judge.exists() {
        run(
            &desk.config(Task::Judge, "judge-run"),
            false,
            &Device::Cpu,
            &mut |_| (),
            &CancelToken::new(),
        )
        .unwrap();
    }
    let losses = serde_json::json!({
        "similarity": 0.5,
        "perceptual": 0.5,
        "judge": judge.join("result"),
        "adversary": {
            "network": { "patch_size": 4, "block_out_channels": [4, 8], "norm_num_groups": 2 },
            "weight": 0.5,
            "start": 2,
            "ramp": 1,
        },
    });
    TrainConfig {
        vae_loss: Some(serde_json::from_value(losses).unwrap()),
        ..desk.config(Task::Vae, out)
    }
}

/// The variables of one of the two networks.
fn of(task: &VaeTask, discriminator: bool) -> BTreeMap<String, Var> {
    let mut variables = task.variables().clone();
    variables.retain(|name, _| name.starts_with("discriminator.") == discriminator);
    assert!(!variables.is_empty());
    variables
}

#[test]
fn each_network_has_the_gradient_of_its_own_part() {
    let desk = Desk::new();
    let task = VaeTask::new(&with_every_loss(&desk, "unused"), &Device::Cpu).unwrap();
    let (autoencoder, discriminator) = (of(&task, false), of(&task, true));
    let part = |step| task.parts(step).unwrap();
    shake(task.variables(), 0.05);
    check_gradients("autoencoder", &autoencoder, &|| part(3).0);
    check_gradients("discriminator", &discriminator, &|| part(3).1.unwrap());
    // The sum gives each network the gradient of its part alone.
    let whole = task.loss(3).unwrap().backward().unwrap();
    let (first, second) = part(3);
    let (first, second) = (first.backward().unwrap(), second.unwrap().backward().unwrap());
    let norm = |x: &Tensor| scalar(&x.sqr().unwrap().sum_all().unwrap()).sqrt();
    for (variables, own, other) in
        [(&autoencoder, &first, &second), (&discriminator, &second, &first)]
    {
        for (name, variable) in variables {
            let expected = own.get(variable).unwrap();
            let difference = (whole.get(variable).unwrap() - expected).unwrap();
            assert!(norm(&difference) <= 1e-5 * norm(expected) + 1e-9, "{name}");
            assert!(other.get(variable).is_none(), "{name} learns from the other's part");
        }
    }
}

#[test]
fn before_the_game_the_discriminator_does_not_learn() {
    let desk = Desk::new();
    let task = VaeTask::new(&with_every_loss(&desk, "unused"), &Device::Cpu).unwrap();
    let gradients = task.loss(1).unwrap().backward().unwrap();
    assert!(of(&task, true).values().all(|variable| gradients.get(variable).is_none()));
    let gradients = task.loss(2).unwrap().backward().unwrap();
    assert!(of(&task, true).values().all(|variable| gradients.get(variable).is_some()));
    // Of steps of three batches, the second begins with batch 4; in it the weight has not risen yet.
    let whole = with_every_loss(&desk, "unused");
    let parts = VaeTask::new(&TrainConfig { accumulate: 3, ..whole }, &Device::Cpu).unwrap();
    assert!(parts.parts(3).unwrap().1.is_none() && parts.parts(4).unwrap().1.is_some());
    for task in [&task, &parts] {
        shake(task.variables(), 0.05);
    }
    let verdict = |task: &VaeTask, number: u64| scalar(&task.parts(number).unwrap().0);
    // A batch of step 2, and one whose game has risen: they differ by the verdict alone.
    assert!((verdict(&parts, 6) - verdict(&task, 6)).abs() > 1e-6);
    assert!((verdict(&parts, 7) - verdict(&task, 7)).abs() < 1e-6);
}

#[test]
fn a_run_with_a_discriminator_goes_on_exactly_and_leaves_judge_and_bundle_alone() {
    let desk = Desk::new();
    let whole = with_every_loss(&desk, "whole");
    let judge = desk.at("judge-run/result/model.safetensors");
    let before = std::fs::read(&judge).unwrap();
    run(&whole, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    let stopped = TrainConfig { out: desk.at("stopped"), ..whole.clone() };
    let cancel = CancelToken::new();
    let mut on_event = |event: TrainEvent| {
        if matches!(event, TrainEvent::Step { step: 3, .. }) {
            cancel.cancel();
        }
    };
    run(&stopped, false, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
    run(&stopped, true, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    let events = [TrainEvent::Checkpoint { step: 0 }];
    assert!(outcome(&stopped.out, &events) == outcome(&whole.out, &events));
    assert!(std::fs::read(&judge).unwrap() == before, "the judge moved");
    // A discriminator in the file would be unexpected.
    let bundle = crate::model::Bundle::open(&whole.out.join("result")).unwrap();
    bundle.verify(Part::Vae).unwrap();
    assert!(bundle.card().figures.contains_key("autoencoder_ssim"));
    let last = std::fs::read_dir(whole.out.join("checkpoints")).unwrap().last().unwrap().unwrap();
    let moments = std::fs::read(last.path().join("optimiser.safetensors")).unwrap();
    let moments = safetensors::SafeTensors::deserialize(&moments).unwrap();
    assert!(moments.names().iter().any(|name| name.starts_with("discriminator.")));
}

#[test]
fn residual_changes_of_size_have_the_gradient_of_a_finite_difference() {
    let desk = Desk::new();
    let config = desk.config(Task::Vae, "unused");
    let vae = VaeConfig {
        residual_resampling: true,
        block_out_channels: vec![8, 16, 16],
        patch_size: 2,
        ..config.vae.clone().unwrap()
    };
    let task = VaeTask::new(&TrainConfig { vae: Some(vae), ..config }, &Device::Cpu).unwrap();
    super::check_gradients(&task, "residual resampling");
}

#[test]
fn losses_that_cannot_be_used_are_refused_before_anything_is_written() {
    let desk = Desk::new();
    let refused = |change: &dyn Fn(&mut VaeLossConfig), word: &str| {
        let mut config = with_every_loss(&desk, "run");
        change(config.vae_loss.as_mut().unwrap());
        let error = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists(), "{word}");
    };
    refused(&|losses| losses.edges = -1.0, "vae_loss.edges");
    refused(&|losses| losses.similarity = f64::NAN, "vae_loss.similarity");
    refused(&|losses| losses.judge.clear(), "vae_loss.judge");
    refused(&|losses| losses.perceptual = 0.0, "vae_loss.judge");
    refused(&|losses| losses.judge.push("none"), "card.json");
    refused(&|losses| losses.adversary.as_mut().unwrap().weight = 0.0, "adversary.weight");
    let sizes = |losses: &mut VaeLossConfig| {
        losses.adversary.as_mut().unwrap().network.block_out_channels = vec![4; 6];
    };
    refused(&sizes, "discriminator");
}
