//! Figures of what a model makes, and runs beside each other, on what training left behind.

use std::path::{Path, PathBuf};

use super::judge::segmenter_config;
use super::*;
use crate::adapter::Method;
use crate::data::{Sample, select, some_patients};
use crate::dicom::{Frame, read_provenance};
use crate::evaluate::{EvaluateError, Generation, Report, evaluate_generation};
use crate::model::Bundle;
use crate::noise::SchedulerConfig;
use crate::sample::{Control, Pipeline, Request, generate, generate_together};

fn go(config: &TrainConfig) -> PathBuf {
    run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap().output
}

fn mask(of: impl Fn(u32) -> bool) -> Frame {
    let pixels = (0..32 * 32).map(|pixel| f32::from(u8::from(of(pixel % 32)))).collect();
    Frame { width: 32, height: 32, pixels }
}

#[test]
fn images_that_are_made_together_are_those_that_are_made_alone() {
    let desk = Desk::new();
    let bundle = Bundle::open(&desk.at("model")).unwrap();
    let mut pipeline = Pipeline::load(&bundle, &Device::Cpu).unwrap();
    pipeline.add_control(&go(&desk.config(Task::Controlnet, "control"))).unwrap();
    let concept = pipeline.concept(&go(&desk.config(Task::Concept, "concept"))).unwrap();
    pipeline.show(&[(&concept, 2.0)], None).unwrap();
    let ancestral = SchedulerConfig::named("EulerAncestral", pipeline.scheduler()).unwrap();
    for (guidance_scale, scheduler) in [(1.0, None), (2.5, None), (2.5, Some(ancestral))] {
        let request = |seed: u64, prompt: &str, image: Frame| Request {
            prompt: prompt.into(),
            seed,
            steps: 3,
            guidance_scale,
            guidance_rescale: 0.5,
            scheduler: scheduler.clone(),
            controls: vec![Control { network: 0, image, weight: 4.0, start: 0.0, end: 1.0 }],
            ..Request::default()
        };
        let requests = [
            request(1, "chest radiograph, normal", mask(|x| x < 16)),
            request(2, "chest radiograph, pneumonia", mask(|x| x > 8)),
            request(2, "chest radiograph, normal", mask(|x| x % 2 == 0)),
        ];
        let cancel = CancelToken::new();
        let mut steps = Vec::new();
        let mut on_step = |step: crate::sample::Step| steps.push((step.number, step.of));
        let together = generate_together(&pipeline, &requests, &mut on_step, &cancel).unwrap();
        assert_eq!(steps, [(1, 3), (2, 3), (3, 3)]);
        assert_eq!(together.len(), 3);
        let far = |one: &Frame, other: &Frame| {
            one.pixels.iter().zip(&other.pixels).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max)
        };
        for (request, found) in requests.iter().zip(&together) {
            let alone = generate(&pipeline, request, 0, &mut |_| (), &cancel).unwrap();
            assert!(far(&alone, found) < 2e-4, "{}", far(&alone, found));
        }
        assert!(far(&together[0], &together[1]) > 0.01 && far(&together[1], &together[2]) > 1e-5);
        let refused = |change: &dyn Fn(&mut Request)| {
            let mut other = requests[0].clone();
            change(&mut other);
            let both = [requests[0].clone(), other];
            generate_together(&pipeline, &both, &mut |_| (), &cancel).unwrap_err().to_string()
        };
        assert!(refused(&|other| other.steps = 4).starts_with("steps"));
        assert!(refused(&|other| other.guidance_scale = 7.0).starts_with("guidance_scale"));
        assert!(refused(&|other| other.controls[0].weight = 1.0).starts_with("control"));
        assert!(refused(&|other| other.controls.clear()).starts_with("control"));
        assert!(refused(&|other| other.size = Some((64, 64))).starts_with("size"));
    }
    assert!(
        generate_together(&pipeline, &[], &mut |_| (), &CancelToken::new()).unwrap().is_empty()
    );
}

/// A judge, a segmenter and a ControlNet, and what to measure with them.
fn wanted(desk: &Desk) -> Generation {
    Generation {
        prompts: 5,
        masks: 3,
        findings: ["normal", "pneumonia"].map(str::to_owned).into(),
        judge: Some(go(&desk.config(Task::Judge, "judge"))),
        segmenter: Some(go(&segmenter_config(desk, "segmenter"))),
        control_network: Some(go(&desk.config(Task::Controlnet, "control"))),
        steps: Some(2),
        sheet: 2,
        ..Generation::default()
    }
}

fn measured(desk: &Desk, wanted: &Generation, out: &Path) -> Result<Report, EvaluateError> {
    let (model, cancel) = (desk.at("model"), CancelToken::new());
    evaluate_generation(
        &model,
        &desk.dataset,
        wanted,
        out,
        &Device::Cpu,
        &mut |_, _, _| (),
        &cancel,
    )
}

#[test]
fn a_models_images_are_measured_and_kept() {
    let desk = Desk::new();
    let (wanted, out) = (wanted(&desk), desk.at("report"));
    let report = measured(&desk, &wanted, &out).unwrap();
    for name in [
        "autoencoder_psnr_db",
        "recognised",
        "recognised_normal",
        "recognised_pneumonia",
        "real_recognised",
        "mask_dice",
        "mask_dice_below_0.9",
        "mask_dice_of_another",
        "mask_dice_quantile_0.05",
        "real_mask_dice",
        "frechet_prompts",
        "frechet_masks",
        "frechet_training",
        "memorised_pixels",
        "memorised_features",
        "nearest_generated_features",
        "nearest_real_features",
    ] {
        assert!(
            report.figures.get(name).is_some_and(|value| value.is_finite()),
            "{name}: {report:?}"
        );
    }
    assert_eq!(
        (report.settings["prompts"].as_str(), report.settings["masks"].as_str()),
        ("5", "3")
    );
    assert!(report.settings.contains_key("seconds an image, masks"), "{report:?}");
    assert!(
        report.table().contains("normal (3 prompts), pneumonia (2 prompts)"),
        "{}",
        report.table()
    );

    // Each image says what it was made of, and the masks' what led it.
    let image = |name: &str| std::fs::read(out.join("images").join(name)).unwrap();
    let of_mask = read_provenance(&image("masks/00001.png")).unwrap();
    assert_eq!((of_mask.provenance.seed, of_mask.provenance.inputs.len()), (1, 1));
    assert!(of_mask.prompt.starts_with("chest radiograph"), "{of_mask:?}");
    check_sheets(&desk, &out);

    // Once more, nothing is made again; of more prompts, the first are there.
    let again = measured(&desk, &wanted, &out).unwrap();
    assert_eq!(again.figures, report.figures);
    assert!(!again.settings.keys().any(|name| name.starts_with("seconds")), "{again:?}");
    let first = image("prompts/00000.png");
    let more = measured(&desk, &Generation { prompts: 7, ..wanted.clone() }, &out).unwrap();
    assert_eq!(more.settings["prompts"], "7");
    assert_eq!(image("prompts/00000.png"), first);
    // What is asked for otherwise is made anew.
    measured(&desk, &Generation { steps: Some(1), ..wanted }, &out).unwrap();
    assert_ne!(image("prompts/00000.png"), first);
}

/// Two prompts and two masks stand on the sheets in `out`, and real radiographs on one of them alone.
fn check_sheets(desk: &Desk, out: &Path) {
    let picture = |name: &str| {
        image::load_from_memory(&std::fs::read(out.join(name)).unwrap()).unwrap().into_luma8()
    };
    // Pictures of 32 pixels a side in columns of 36 and rows of 48, below headings and captions.
    let tile = |sheet: &image::GrayImage, column: u32, row: u32| {
        image::imageops::crop_imm(sheet, 4 + 36 * column, 28 + 48 * row, 32, 32).to_image()
    };
    let (alone, beside) = (picture("samples.png"), picture("samples-beside-real.png"));
    assert_eq!(alone.dimensions(), (4 + 4 * 36, 4 + 12 + 2 * 48));
    assert_eq!(beside.dimensions(), (4 + 5 * 36, 4 + 12 + 2 * 48));
    let page = std::fs::read_to_string(out.join("samples.md")).unwrap();
    assert!(page.contains("CC0") && page.contains("nobody"), "{page}");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| row"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 4, "{page}");
    let dataset = Dataset::open(&desk.dataset).unwrap();
    let training = dataset.samples(Split::Train);
    for (number, row) in rows.iter().enumerate() {
        let place = number as u32 % 2;
        let (name, column) = if number < 2 { ("prompts", 0) } else { ("masks", 3) };
        let made = picture(&format!("images/{name}/0000{place}.png"));
        assert_eq!(tile(&alone, if number < 2 { 1 } else { 3 }, place), made, "{row:?}");
        assert_eq!(tile(&beside, column, place), made, "{row:?}");
        // The radiograph that the page names stands beside it, and its distance in the last column.
        let near = training.iter().find(|sample| sample.id == row[5]).unwrap();
        let pixels = dataset.square(near, 32).unwrap();
        let real = tile(&beside, column + 1, place);
        for (found, pixel) in real.pixels().zip(&pixels) {
            assert!((f32::from(found.0[0]) - 255.0 * pixel).abs() <= 1.0, "{row:?}");
        }
        assert!((0.0..=2.0).contains(&row[6].parse::<f64>().unwrap()), "{row:?}");
        // A mask's outline is white on black, and thinner than the mask.
        if number >= 2 {
            let count = |tile: image::GrayImage| tile.pixels().filter(|x| x.0[0] == 255).count();
            let (line, area) = (count(tile(&alone, 2, place)), count(tile(&beside, 2, place)));
            assert!(line > 0 && line < area, "{line} of {area}");
        }
    }
}

#[test]
fn what_a_concept_leaves_of_the_old_ability_is_judged_by_the_same_prompts() {
    let desk = Desk::new();
    let plain = Generation { masks: 0, sheet: 0, ..wanted(&desk) };
    let concept = go(&desk.config(Task::Concept, "concept"));
    let with = Generation { concepts: vec![(concept, 4.0)], ..plain.clone() };
    let (out, beside) = (desk.at("with"), desk.at("plain"));
    let report = measured(&desk, &with, &out).unwrap();
    let without = measured(&desk, &plain, &beside).unwrap();
    for (name, share) in &without.figures {
        if name.starts_with("recognised") || name.starts_with("agreement") {
            let found = report.figures[&format!("without_{name}")];
            assert!((found - share).abs() < 1e-12, "{name}: {found} {share}");
        }
    }
    assert!(!without.figures.keys().any(|name| name.starts_with("without_")));
    let bytes =
        |folder: &Path, name: &str| std::fs::read(folder.join("images").join(name)).unwrap();
    assert_eq!(bytes(&out, "prompts-without/00002.png"), bytes(&beside, "prompts/00002.png"));
    assert_ne!(bytes(&out, "prompts/00002.png"), bytes(&beside, "prompts/00002.png"));
    let told = read_provenance(&bytes(&out, "prompts/00002.png")).unwrap().provenance.adapters;
    assert_eq!((told.len(), told[0].name.as_str()), (1, "test"));
}

#[test]
fn what_cannot_be_measured_is_refused_by_its_option() {
    let desk = Desk::new();
    let good = wanted(&desk);
    let refused = |change: &dyn Fn(&mut Generation), word: &str| {
        let mut wanted = good.clone();
        change(&mut wanted);
        let out = desk.at("refused");
        let error = measured(&desk, &wanted, &out).unwrap_err().to_string();
        assert!(error.starts_with(word), "{word}: {error}");
        assert!(!out.exists(), "{word}");
    };
    refused(&|wanted| wanted.judge = None, "judge: ");
    refused(&|wanted| wanted.segmenter = None, "segmenter: ");
    refused(&|wanted| wanted.control_network = None, "control_network: ");
    refused(&|wanted| wanted.steps = Some(0), "steps: ");
    refused(&|wanted| wanted.sheet = 6, "sheet: ");
    refused(&|wanted| wanted.findings = vec!["hernia".into()], "finding: ");
    refused(&|wanted| wanted.findings.clear(), "finding: ");
    let (_keep, bare) = small_set();
    let bare = Desk { dataset: bare, ..Desk::new() };
    let wanted = Generation { judge: good.judge.clone(), ..good };
    let error = measured(&bare, &wanted, &bare.at("out")).unwrap_err().to_string();
    assert!(error.starts_with("masks: "), "{error}");
}

fn tuned(desk: &Desk, out: &str) -> TrainConfig {
    let fine_tune = Some(FineTuneConfig::default());
    TrainConfig { fine_tune, learning_rate: 1e-2, steps: 20, ..desk.config(Task::Base, out) }
}

#[test]
fn runs_stand_beside_each_other() {
    let desk = Desk::new();
    let (full, lora) = (tuned(&desk, "full"), desk.config(Task::Lora, "lora"));
    let searched = TrainConfig {
        search: Some(SearchConfig { steps: 3, most_rank: 4, compare: true, ..Default::default() }),
        ..desk.config(Task::Lora, "search")
    };
    go(&full);
    go(&lora);
    let found =
        search(&searched, false, &Device::Cpu, &mut |_, _| (), &CancelToken::new()).unwrap();
    let folders = [lora.out.clone(), full.out.clone(), searched.out.clone()];
    let comparison = compare(&folders, None, &Device::Cpu).unwrap();
    assert_eq!(comparison.against, full.out.display().to_string());
    let kinds: Vec<&str> = comparison.runs.iter().map(|run| run.kind.as_str()).collect();
    let of_lora = Method::Lora.name();
    assert_eq!(kinds, [of_lora, "fine-tune", of_lora, of_lora]);
    let [adapted, tuned, kept, uniform] = &comparison.runs[..] else { panic!("{comparison:?}") };
    assert_eq!(tuned.trained_weights, comparison.unet_weights);
    assert!((tuned.share_of_unet - 1.0).abs() < 1e-12 && tuned.multiply_adds.is_none());
    assert!(tuned.gain > 0.0, "{tuned:?}");
    assert!((tuned.share_of_gain.unwrap() - 1.0).abs() < 1e-12);
    assert!(adapted.trained_weights < tuned.trained_weights);
    let share = adapted.gain / tuned.gain;
    assert!((adapted.share_of_gain.unwrap() - share).abs() < 1e-12);
    // The adapter of one rank is the same, whoever counts it.
    assert_eq!(adapted.multiply_adds, Some(found.uniform.multiply_adds));
    assert_eq!(adapted.trained_weights, found.uniform.parameters);
    assert_eq!(uniform.multiply_adds, adapted.multiply_adds);
    assert_eq!(kept.multiply_adds, Some(found.kept.multiply_adds));
    assert!((kept.saved.unwrap() - found.saved).abs() < 1e-12 && uniform.saved.is_none());
    assert_eq!((kept.steps, uniform.steps), (9, 9));
    assert!((f64::from(kept.loss_before) - f64::from(adapted.loss_before)).abs() < 1e-5);
    let patients = Dataset::open(&desk.dataset).unwrap().card().patients.train;
    let row = format!("| fine-tune | {patients} | 20 |");
    assert!(comparison.table().contains(&row), "{}", comparison.table());

    let against = compare(&folders[..1], Some(&lora.out), &Device::Cpu).unwrap();
    assert_eq!((against.runs.len(), against.against), (1, lora.out.display().to_string()));
    let error = |folders: &[PathBuf]| compare(folders, None, &Device::Cpu).unwrap_err().to_string();
    let other = TrainConfig { seed: 6, steps: 2, ..desk.config(Task::Lora, "other") };
    go(&other);
    assert!(error(&[lora.out.clone(), other.out]).contains("seed"));
    let path = full.out.join("metrics.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let unfinished: Vec<&str> = text.lines().filter(|line| !line.contains("finished")).collect();
    std::fs::write(&path, unfinished.join("\n")).unwrap();
    assert!(error(&folders).contains("not finished"));
    assert!(error(&[desk.at("model")]).contains("config.json"));
}

#[test]
fn a_run_of_fewer_patients_stands_beside_one_of_more() {
    let desk = Desk::new();
    let whole = Dataset::open(&desk.dataset).unwrap();
    let drawn = some_patients(&whole, &|_| true, 2, 1).unwrap();
    let part = |name: &str, keep: &dyn Fn(&Sample) -> bool| {
        let out = desk.at(name);
        select(&whole, name, keep, &out).unwrap();
        TrainConfig { dataset: out, steps: 3, ..desk.config(Task::Lora, &format!("{name}-run")) }
    };
    let few = part("few", &|sample: &Sample| {
        sample.split == Split::Validation || drawn.contains(&sample.patient)
    });
    let all = TrainConfig { steps: 3, ..desk.config(Task::Lora, "all-run") };
    let other = part("other", &|sample: &Sample| {
        sample.split == Split::Train || sample.findings == ["normal".to_owned()]
    });
    for config in [&few, &all, &other] {
        go(config);
    }
    let compare = |one: &TrainConfig| {
        compare(&[one.out.clone(), all.out.clone()], Some(&all.out), &Device::Cpu)
    };
    let Comparison { runs, .. } = compare(&few).unwrap();
    assert_eq!((runs[0].patients, runs[0].images), (2, 4));
    assert_eq!(runs[1].patients, whole.card().patients.train);
    assert_eq!(runs[0].loss_before.to_bits(), runs[1].loss_before.to_bits());
    assert!(runs[0].loss_after.to_bits() != runs[1].loss_after.to_bits(), "{runs:?}");
    // Losses on other patients say nothing of each other.
    let error = compare(&other).unwrap_err().to_string();
    assert!(error.contains("another held-out part of the data set"), "{error}");
}

#[test]
fn the_recipes_of_the_figures_can_be_run_and_compared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/figures");
    let read = |name: &str| -> TrainConfig {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let mut table: toml::Table = toml::from_str(&text).unwrap();
        for key in ["dataset", "out", "model"] {
            table.insert(key.into(), "somewhere".into());
        }
        let config: TrainConfig = table.try_into().unwrap();
        config.validate().unwrap();
        config
    };
    let names = ["adult-tune.toml", "adult-lora.toml", "adult-search.toml", "adult-concept.toml"];
    let configs = names.map(read);
    let tasks = configs.each_ref().map(|config| config.task);
    assert_eq!(tasks, [Task::Base, Task::Lora, Task::Lora, Task::Concept]);
    // Their losses on held-out patients are of the same noise.
    for config in &configs {
        assert_eq!(config.seed, configs[0].seed);
        assert_eq!(config.validation_samples, configs[0].validation_samples);
        assert_eq!(config.objective, configs[0].objective);
    }
    let search = configs[2].search.as_ref().unwrap();
    assert!(search.compare && search.train && search.share <= 0.7);
    assert_eq!(
        (configs[1].rank, configs[1].targets.len()),
        (configs[2].rank, configs[2].targets.len())
    );
}
