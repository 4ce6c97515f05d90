//! What a run says before it has cost much.

use super::*;

fn events(config: &TrainConfig) -> Vec<TrainEvent> {
    let mut events = Vec::new();
    let mut on_event = |event| events.push(event);
    run(config, false, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
    events
}

#[test]
fn a_run_says_how_long_it_takes_and_how_much_memory() {
    let desk = Desk::new();
    for (optimiser, of_each) in [(OptimiserKind::AdamW, Some(12)), (OptimiserKind::Adafactor, None)]
    {
        let config =
            TrainConfig { optimiser, ..desk.config(Task::Base, &format!("{optimiser:?}")) };
        let events = events(&config);
        let TrainEvent::Started { trainable_weights, .. } = events[0] else { panic!() };
        let weights = trainable_weights as u64;
        let estimates: Vec<_> =
            events.iter().filter(|event| matches!(event, TrainEvent::Estimate { .. })).collect();
        let [
            TrainEvent::Estimate {
                step,
                seconds,
                weight_bytes,
                gradient_bytes,
                optimiser_bytes,
                activation_bytes,
                peak_bytes,
            },
        ] = estimates[..]
        else {
            panic!("{estimates:?}")
        };
        assert_eq!(*step, 0);
        let place = |of: fn(&TrainEvent) -> bool| events.iter().position(of).unwrap();
        let said = place(|event| matches!(event, TrainEvent::Estimate { .. }));
        assert!(said < place(|event| matches!(event, TrainEvent::Step { .. })), "{events:?}");
        assert!(*seconds > 0.0 && *seconds < 600.0, "{seconds}");
        assert_eq!((*weight_bytes, *gradient_bytes), (4 * weights, 4 * weights));
        match of_each {
            Some(bytes) => assert_eq!(*optimiser_bytes, bytes * weights),
            // The average is one number a weight; rows and columns are few.
            None => assert!((4 * weights..6 * weights).contains(optimiser_bytes)),
        }
        if let (Some(activations), Some(peak)) = (activation_bytes, peak_bytes) {
            assert!(activations < peak && *peak > 8 * weights, "{activations} of {peak}");
        }
    }
}

#[test]
fn a_run_that_goes_on_says_what_is_left() {
    let desk = Desk::new();
    let config = TrainConfig { accumulate: 2, ..desk.config(Task::Vae, "run") };
    let of = |events: &[TrainEvent]| -> Vec<(u64, f64)> {
        let said = events.iter().filter_map(|event| match event {
            TrainEvent::Estimate { step, seconds, .. } => Some((*step, *seconds)),
            _ => None,
        });
        said.collect()
    };
    assert_eq!(of(&events(&config)).len(), 1);
    let resumed = |steps| {
        let longer = TrainConfig { steps, ..config.clone() };
        let mut events = Vec::new();
        let mut on_event = |event| events.push(event);
        run(&longer, true, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
        of(&events)
    };
    let [(step, seconds)] = resumed(8)[..] else { panic!() };
    assert_eq!(step, 6);
    assert!(seconds > 0.0 && seconds < 600.0, "{seconds}");
    // There is nothing left.
    assert!(resumed(8).is_empty());
}

/// What is said against the data set.
fn warnings(config: &TrainConfig) -> Vec<String> {
    events(config)
        .into_iter()
        .filter_map(|event| match event {
            TrainEvent::Warning { step: 0, cause } => Some(cause),
            _ => None,
        })
        .collect()
}

#[test]
fn a_small_set_whose_held_out_images_are_trained_on_is_warned_of() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "run");
    let warnings = warnings(&config);
    assert!(warnings[0].contains("are few"), "{warnings:?}");
    // Its pictures are one pattern, moved a little.
    assert!(warnings[1].contains("held-out images are also trained on"), "{warnings:?}");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    // Said once: a run that goes on warns no more.
    let longer = TrainConfig { steps: 8, ..config };
    let mut on_event = |event| assert!(!matches!(event, TrainEvent::Warning { .. }));
    run(&longer, true, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
}

#[test]
fn a_set_of_one_patient_is_warned_of() {
    let desk = Desk::new();
    rewrite(&desk.dataset, |sample| {
        if sample["split"] == "train" {
            sample["patient"] = "the only one".into();
        }
    });
    let warnings = warnings(&desk.config(Task::Prefix, "run"));
    assert!(warnings.iter().any(|cause| cause.contains("of one patient")), "{warnings:?}");
}

#[test]
fn a_finding_that_no_image_shows_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let mut config = desk.config(Task::Judge, "judge");
    let sizes = config.judge.as_mut().unwrap().classifier.as_mut().unwrap();
    sizes.findings.extend(["hernia", "mass"].map(str::to_owned));
    let error = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
        .unwrap_err()
        .to_string();
    let expected = "judge.classifier.findings: no image to train on shows hernia, mass";
    assert!(error.starts_with(expected), "{error}");
    assert!(!config.out.exists());
}

#[test]
fn labels_that_do_not_tell_images_apart_are_warned_of() {
    let desk = Desk::new();
    let config = desk.config(Task::Judge, "judge");
    let said = warnings(&config);
    let alike: Vec<&String> = said.iter().filter(|cause| cause.contains("are all alike")).collect();
    // Every image is of a woman, from behind; pneumonia is of some.
    for label in ["female", "view_AP", "view_PA"] {
        assert!(alike[0].contains(label), "{label}: {alike:?}");
    }
    assert!(!alike[0].contains("pneumonia"), "{alike:?}");

    let asked = |prompt: &str, out: &str| {
        let config = TrainConfig {
            sample_every: 6,
            sample_steps: 1,
            sample_prompts: vec!["chest radiograph, normal".into(), prompt.into()],
            ..desk.config(Task::Prefix, out)
        };
        warnings(&config).into_iter().filter(|cause| cause.contains("sample_prompts")).count()
    };
    assert_eq!(asked("chest radiograph, Pleural-Effusion", "known"), 0);
    assert_eq!(asked("chest radiograph, pneumothorax", "unknown"), 1);
}
