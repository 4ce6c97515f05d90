//! A search keeps its budget, what it kept acts as it did, and its plain configuration is a run's.
#![allow(clippy::unwrap_used)]

use candle_core::Device;

use super::super::tests::Desk;
use super::*;

fn config(desk: &Desk, out: &str, wanted: SearchConfig) -> TrainConfig {
    let targets = Targets {
        unet: ["to_q", "to_v", "ff.net.2", "conv1"].map(str::to_owned).into(),
        text_encoder: vec!["q_proj".to_owned()],
    };
    TrainConfig {
        lora: Some(LoraConfig { targets: Some(targets), ..LoraConfig::default() }),
        search: Some(wanted),
        steps: 3,
        learning_rate: 1e-2,
        ..desk.config(Task::Lora, out)
    }
}

fn found(config: &TrainConfig, resume: bool) -> Result<SearchReport, TrainError> {
    search(config, resume, &Device::Cpu, &mut |_, _| (), &CancelToken::new())
}

#[test]
fn a_search_keeps_its_budget_and_writes_a_run_that_goes_on() {
    let desk = Desk::new();
    for (name, measure) in [("adds", Measure::MultiplyAdds), ("weights", Measure::Parameters)] {
        let wanted = SearchConfig {
            steps: 4,
            most_rank: 6,
            measure,
            share: 0.6,
            compare: true,
            ..SearchConfig::default()
        };
        let config = config(&desk, name, wanted);
        let report = found(&config, false).unwrap();
        let (uniform, kept) = match measure {
            Measure::MultiplyAdds => (report.uniform.multiply_adds, report.kept.multiply_adds),
            Measure::Parameters => (report.uniform.parameters, report.kept.parameters),
        };
        assert!(kept as f64 <= 0.6 * uniform as f64 && kept > 0, "{kept} of {uniform}");
        let sum: u64 = report.layers.iter().map(|layer| layer.multiply_adds).sum();
        assert_eq!(sum, report.kept.multiply_adds);

        // The first level has 8 × 8 pixels, the second 4 × 4; the text has 32 tokens.
        let rows = |path: &str| {
            let at = |layer: &&FoundLayer| layer.path.ends_with(path);
            report.layers.iter().find(at).unwrap().rows
        };
        assert_eq!(rows("down_blocks.0.resnets.0.conv1"), 64);
        assert_eq!(rows("mid_block.resnets.0.conv1"), 16);
        assert_eq!(rows("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"), 32);
        assert_eq!(rows("self_attn.q_proj"), 32);

        // The configuration is a run's, and went on from what was kept.
        let text = std::fs::read_to_string(&report.config).unwrap();
        let plain: TrainConfig = toml::from_str(&text).unwrap();
        plain.validate().unwrap();
        assert_eq!((plain.steps, plain.search.is_none()), (3, true));
        let adapter = Adapter::open(&config.out.join("trained/result")).unwrap();
        let adapted = report.layers.iter().filter(|layer| layer.rank > 0).count();
        assert_eq!(adapter.layer_count(), adapted);
        let first: TrainEvent = first_validation(&config.out.join("trained"));
        let TrainEvent::Validation { step: 0, loss } = first else { unreachable!() };
        assert!((loss - report.held_out.kept).abs() < 1e-5, "{loss} {:?}", report.held_out);
        assert!(report.held_out.trained.is_some() && report.held_out.uniform.is_some());

        // Once more, it takes what there is.
        assert_eq!(found(&config, true).unwrap(), report);
        assert!(found(&config, false).unwrap_err().to_string().contains("already"));
    }
}

fn first_validation(run: &Path) -> TrainEvent {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    events.find(|event| matches!(event, TrainEvent::Validation { .. })).unwrap()
}

#[test]
fn with_room_for_all_nothing_is_lost_of_the_widest_adapter() {
    let desk = Desk::new();
    let wanted = SearchConfig {
        steps: 4,
        most_rank: 2,
        share: 1.0,
        train: false,
        ..SearchConfig::default()
    };
    let config = config(&desk, "all", wanted);
    let report = found(&config, false).unwrap();
    assert!(report.layers.iter().all(|layer| layer.rank == 2), "{:?}", report.layers);
    assert_eq!(report.kept, report.uniform);
    let HeldOut { supernet, kept, base, .. } = report.held_out;
    // Half precision on disk lies between.
    assert!((supernet - kept).abs() < 1e-3 * base, "{:?}", report.held_out);
    assert!((supernet - base).abs() > 1e-6 * base, "{:?}", report.held_out);
}

#[test]
fn what_cannot_be_searched_for_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let refused = |change: &dyn Fn(&mut TrainConfig), word: &str| {
        let mut config = config(&desk, "run", SearchConfig::default());
        change(&mut config);
        let error = found(&config, false).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists(), "{word}");
    };
    refused(&|config| config.task = Task::Prefix, "must be lora");
    refused(&|config| config.search.as_mut().unwrap().share = 0.0, "search.share");
    refused(&|config| config.search.as_mut().unwrap().steps = 0, "search.steps");
    refused(&|config| config.search.as_mut().unwrap().smoothing = 1.0, "search.smoothing");
    refused(&|config| config.lora.as_mut().unwrap().method = Method::Loha, "lora.method");
    refused(
        &|config| {
            config.lora.as_mut().unwrap().rank_pattern = Patterns(vec![("to_q".into(), 2)]);
        },
        "rank_pattern",
    );
    refused(&|config| config.rank = 200, "rank");
    let config = config(&desk, "run", SearchConfig::default());
    let run = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new());
    assert!(run.unwrap_err().to_string().contains("search lora"));
}
