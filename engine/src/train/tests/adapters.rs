//! Tasks on a whole model: every kind of adapter, prefixes, words, full fine-tuning, and the prior.

use sha2::{Digest, Sha256};

use super::super::run::Start;
use super::super::whole::Whole;
use super::*;
use crate::adapter::{Adapter, Embedding, Method, Patterns, Prefix, attach};
use crate::model::{Bundle, TextConfig};

/// A hash over all that is frozen: the layers' weights, and through what the networks answer with nothing on
/// them, norms and embeddings.
fn hash(whole: &Whole) -> String {
    attach(&whole.networks(), &[], false).unwrap();
    let mut hash = Sha256::new();
    let mut take = |x: &Tensor| {
        for value in x.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
            hash.update(value.to_le_bytes());
        }
    };
    for weights in [&whole.unet_weights, &whole.text_weights] {
        for slot in weights.slots().values() {
            take(&slot.base().weight.tensor().unwrap());
            slot.base().bias.iter().for_each(&mut take);
        }
    }
    let length = whole.text.config().max_position_embeddings as u32;
    let tokens = Tensor::arange(2, 2 + length, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let context = whole.text.forward(&tokens).unwrap();
    take(&context);
    let config = whole.unet.config();
    let sample = random(&[1, config.in_channels, 8, 8], 1);
    take(&whole.unet.forward(&sample, &[250.0], &context).unwrap());
    hex::encode(hash.finalize())
}

/// Layers of every kind, in both networks.
fn everywhere(method: Method) -> LoraConfig {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    LoraConfig {
        method,
        targets: Some(Targets {
            unet: names(&["to_q", "to_k", "ff.net.2", "conv1", "conv_shortcut", "conv_in"]),
            text_encoder: names(&["q_proj", "fc1"]),
        }),
        rank_pattern: Patterns(vec![("fc1".into(), 3)]),
        ..LoraConfig::default()
    }
}

fn quiet(config: &TrainConfig, resume: bool) -> Result<TrainSummary, TrainError> {
    run(config, resume, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

const METHODS: [Method; 4] = [Method::Lora, Method::Dora, Method::Loha, Method::Lokr];

#[test]
fn every_kind_of_adapter_learns_in_both_networks_and_moves_nothing_else() {
    let desk = Desk::new();
    for method in METHODS {
        let own = everywhere(method);
        let config =
            TrainConfig { lora: Some(own), ..desk.config(Task::Lora, &format!("{method:?}")) };
        let cancel = CancelToken::new();
        let task = lora::LoraTask::new(&config, &Device::Cpu, &cancel).unwrap();
        check_gradients(&task, &format!("{method:?}"));
        let task = lora::LoraTask::new(&config, &Device::Cpu, &cancel).unwrap();
        let before = hash(&task.whole);
        crate::adapter::attach_trainable(&task.whole.networks(), &task.adapter).unwrap();
        let summary =
            super::super::run::train(&config, &task, Start::default(), &mut |_| (), &cancel)
                .unwrap();
        assert_eq!(hash(&task.whole), before, "{method:?}");
        let read = Adapter::open(&summary.output).unwrap();
        assert_eq!(read.card().unwrap().method, method.name());
        let base = &read.card().unwrap().base_sha256;
        read.check(&task.whole.networks(), base).unwrap();
        let error = read.check(&task.whole.networks(), "other").unwrap_err().to_string();
        assert!(error.contains("other weights"), "{error}");
        let layers = read.summary().layers;
        assert!(layers["unet"] > 4 && layers["text_encoder"] >= 2, "{layers:?}");
    }
}

#[test]
fn an_adapter_goes_on_from_another() {
    let desk = Desk::new();
    let first = desk.config(Task::Lora, "first");
    let trained = quiet(&first, false).unwrap();
    let start = Some(LoraConfig { start: Some(trained.output), ..LoraConfig::default() });
    let second = TrainConfig { lora: start, ..desk.config(Task::Lora, "second") };
    let summary = quiet(&second, false).unwrap();
    let difference = summary.validation_loss_before - trained.validation_loss_after;
    assert!(difference.abs() < 1e-3, "{difference}");
}

#[test]
fn a_prefix_learns_and_nothing_else_moves() {
    let desk = Desk::new();
    let config = TrainConfig { learning_rate: 0.05, ..desk.config(Task::Prefix, "prefix") };
    let cancel = CancelToken::new();
    let task = prefix::PrefixTask::new(&config, &Device::Cpu, &cancel).unwrap();
    let before = hash(&task.whole);
    let summary =
        super::super::run::train(&config, &task, Start::default(), &mut |_| (), &cancel).unwrap();
    assert_eq!(hash(&task.whole), before);
    let read = Prefix::open(&summary.output).unwrap();
    let text: TextConfig = desk.part(Part::TextEncoder);
    assert_eq!((read.count(), read.width()), (3, text.hidden_size));
    read.check(&task.whole.bundle.card().weights_sha256).unwrap();
    let error = read.check("other").unwrap_err().to_string();
    assert!(error.contains("other weights"), "{error}");
    assert!(read.check_width(text.hidden_size + 1).is_err());
    let trained = task.variables()["prefix"].as_detached_tensor();
    let averaged = (read.vectors() - trained).unwrap().abs().unwrap().max_all().unwrap();
    assert!(scalar(&averaged) < 0.5, "the average lies near what was trained");
}

#[test]
fn a_word_learns_and_nothing_else_moves() {
    let desk = Desk::new();
    let config = TrainConfig { learning_rate: 0.05, ..desk.config(Task::TextualInversion, "word") };
    let cancel = CancelToken::new();
    let task =
        textual_inversion::TextualInversionTask::new(&config, &Device::Cpu, &cancel).unwrap();
    let start = task.variables()["embedding"].as_detached_tensor().copy().unwrap();
    let before = hash(&task.whole);
    let summary =
        super::super::run::train(&config, &task, Start::default(), &mut |_| (), &cancel).unwrap();
    assert_eq!(hash(&task.whole), before);
    let moved = (task.variables()["embedding"].as_tensor() - &start).unwrap();
    assert!(scalar(&moved.abs().unwrap().max_all().unwrap()) > 0.01);
    let read = Embedding::open(&summary.output, None).unwrap();
    assert_eq!((read.token(), read.vectors()), ("<shade>", 2));
    let base = Bundle::open(&config.model).unwrap().card().weights_sha256.clone();
    read.check(&base).unwrap();
    assert!(read.check("other").is_err());
}

#[test]
fn a_fine_tune_goes_on_from_the_models_weights() {
    let desk = Desk::new();
    let base = quiet(&desk.config(Task::Prefix, "unused"), false).map(|_| ());
    base.unwrap();
    let adapter = quiet(&desk.config(Task::Lora, "lora"), false).unwrap();
    for text_encoder in [false, true] {
        let config = TrainConfig {
            fine_tune: Some(FineTuneConfig { text_encoder }),
            unet: None,
            text: None,
            card: None,
            ..desk.config(Task::Base, &format!("whole-{text_encoder}"))
        };
        let task =
            fine_tune::FineTuneTask::new(&config, &Device::Cpu, &CancelToken::new()).unwrap();
        let words = task.variables().keys().filter(|name| name.starts_with("text_encoder."));
        assert_eq!(words.count() > 0, text_encoder);
        check_gradients(&task, "fine tune");
        let summary = quiet(&config, false).unwrap();
        // Before the first step it is the base, as an adapter is.
        let (ours, base) = (summary.validation_loss_before, adapter.validation_loss_before);
        assert!((ours - base).abs() < 1e-5, "{ours} {base}");
        let (before, after) =
            [&config.model, &summary.output].map(|path| Bundle::open(path).unwrap()).into();
        let hash = |bundle: &Bundle, part| bundle.part_hash(part).unwrap();
        assert_eq!(hash(&before, Part::Vae), hash(&after, Part::Vae));
        assert_ne!(hash(&before, Part::Unet), hash(&after, Part::Unet));
        let same = hash(&before, Part::TextEncoder) == hash(&after, Part::TextEncoder);
        assert_eq!(same, !text_encoder);
        assert!(after.card().training.contains("trained on from"), "{}", after.card().training);
    }
}

fn with_prior(config: TrainConfig) -> TrainConfig {
    let prompts = vec!["chest radiograph, normal".to_owned()];
    let prior =
        PriorConfig { prompts, images: 3, weight: 0.5, steps: Some(2), guidance_scale: Some(1.0) };
    TrainConfig { prior: Some(prior), ..config }
}

#[test]
fn the_priors_images_are_made_once_and_counted_with_their_weight() {
    let desk = Desk::new();
    let cancel = CancelToken::new();
    let config = with_prior(desk.config(Task::Lora, "run"));
    let loss = |config: &TrainConfig| {
        let task = lora::LoraTask::new(config, &Device::Cpu, &cancel).unwrap();
        scalar(&task.loss(1).unwrap())
    };
    let both = loss(&config);
    let image = config.out.join("prior/00001.png");
    let bytes = std::fs::read(&image).unwrap();
    assert!(crate::dicom::read_provenance(&bytes).is_ok(), "it says that it is synthetic");
    let made = std::fs::metadata(&image).unwrap().modified().unwrap();
    assert!((loss(&config) - both).abs() < 1e-12, "the same images, the same draws");
    assert_eq!(std::fs::metadata(&image).unwrap().modified().unwrap(), made);
    let alone = loss(&TrainConfig { prior: None, ..config.clone() });
    let mut twice = config.clone();
    twice.prior.as_mut().unwrap().weight = 1.0;
    let expected = alone + 2.0 * (both - alone);
    assert!((loss(&twice) - expected).abs() < 1e-4 && both > alone);
    // Other prompts make other images.
    let mut other = config.clone();
    other.prior.as_mut().unwrap().prompts = vec!["chest radiograph, pneumonia".into()];
    loss(&other);
    assert_ne!(std::fs::read(&image).unwrap(), bytes);
}

#[test]
fn a_run_with_a_prior_goes_on_as_if_it_had_not_been_stopped() {
    let desk = Desk::new();
    for task in [Task::Prefix, Task::TextualInversion] {
        let config = |out: &str| with_prior(desk.config(task, &format!("{task:?}-{out}")));
        let whole = quiet(&config("whole"), false).unwrap();
        let stopped = TrainConfig { steps: 4, ..config("stopped") };
        quiet(&stopped, false).unwrap();
        let gone_on = quiet(&config("stopped"), true).unwrap();
        assert_eq!(
            (gone_on.final_loss.to_bits(), gone_on.validation_loss_after.to_bits()),
            (whole.final_loss.to_bits(), whole.validation_loss_after.to_bits()),
            "{task:?}"
        );
    }
}

#[test]
fn what_no_adapter_can_be_made_of_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let refused = |config: TrainConfig, word: &str| {
        let error = quiet(&config, false).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists(), "{word}");
    };
    let lora = |own| TrainConfig { lora: Some(own), ..desk.config(Task::Lora, "run") };
    let text = Targets { unet: Vec::new(), text_encoder: vec!["to_q".into()] };
    refused(
        lora(LoraConfig { targets: Some(text), ..LoraConfig::default() }),
        "no layer of the text_encoder ends in to_q; they end in",
    );
    refused(
        lora(LoraConfig { targets: Some(Targets::default()), ..LoraConfig::default() }),
        "named",
    );
    let rslora = LoraConfig { use_rslora: true, method: Method::Loha, ..LoraConfig::default() };
    refused(lora(rslora), "use_rslora");
    refused(lora(LoraConfig { decompose_factor: Some(4), ..LoraConfig::default() }), "lokr alone");
    let pattern = Patterns(vec![("to_q".to_owned(), 300)]);
    refused(lora(LoraConfig { rank_pattern: pattern, ..LoraConfig::default() }), "the size of");
    let start = LoraConfig { start: Some(desk.at("none")), ..LoraConfig::default() };
    refused(lora(start), "none");
    let prefix = desk.config(Task::Prefix, "run");
    refused(
        TrainConfig { prefix: Some(PrefixConfig { vectors: 0 }), ..prefix.clone() },
        "prefix.vectors",
    );
    let word = |change: &dyn Fn(&mut TextualInversionConfig)| {
        let mut config = desk.config(Task::TextualInversion, "run");
        change(config.textual_inversion.as_mut().unwrap());
        config
    };
    refused(word(&|own| own.token = "two words".into()), "textual_inversion.token");
    refused(word(&|own| own.template = "{caption}".into()), "{token}");
    refused(word(&|own| own.template = format!("{}{{token}}", "word ".repeat(60))), "window");
    refused(word(&|own| own.initial = " ".into()), "textual_inversion.initial");
    let prior = with_prior(desk.config(Task::Base, "run"));
    refused(prior, "needs a whole model that is changed");
    let mut none = with_prior(prefix);
    none.prior.as_mut().unwrap().prompts.clear();
    refused(none, "prior.prompts");
}
