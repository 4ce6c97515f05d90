//! Licence and attribution of every data set, and of the model that it was learnt beside, reach the card of
//! whatever is trained.

use serde_json::{Value, json};

use super::*;
use crate::adapter::Adapter;
use crate::model::write_json;
use crate::train::LoraConfig;

const ADULTS: &str = "adults: Clinical Centre";
const CHILDREN: &str = "children: Guangzhou";
const FREE: &str = "no restriction on use";

fn edit(path: &Path, fields: &[(&str, Value)]) {
    let mut card: Value = read_json(path).unwrap();
    for (name, value) in fields {
        card[*name] = value.clone();
    }
    write_json(path, &card).unwrap();
}

/// A desk whose model learned from adults, and whose data set shows children.
fn desk() -> Desk {
    let desk = Desk::new();
    let model = desk.at("model").join("card.json");
    edit(&model, &[("licence", json!(FREE)), ("attribution", json!([ADULTS]))]);
    let set = desk.dataset.join("card.json");
    edit(&set, &[("licence", json!("CC BY 4.0")), ("attribution", json!(CHILDREN))]);
    desk
}

/// Trains a step, and reads the card of what came of it.
fn card(config: &TrainConfig) -> Value {
    let config = TrainConfig { steps: 1, validate_every: 1, ..config.clone() };
    let summary = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new());
    let result = summary.unwrap_or_else(|error| panic!("{:?}: {error}", config.task)).output;
    let name = match config.task {
        Task::Controlnet | Task::Clip => "part_card.json",
        _ => "card.json",
    };
    read_json(&result.join(name)).unwrap()
}

fn said(card: &Value) -> (String, Vec<String>) {
    let credits = card["attribution"].as_array().unwrap();
    let credits = credits.iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    (card["licence"].as_str().unwrap().to_owned(), credits)
}

fn both() -> (String, Vec<String>) {
    (format!("{FREE}; CC BY 4.0"), vec![ADULTS.to_owned(), CHILDREN.to_owned()])
}

#[test]
fn what_is_trained_beside_a_model_is_owed_to_model_and_set() {
    let desk = desk();
    for task in [
        Task::Base,
        Task::Lora,
        Task::Prefix,
        Task::TextualInversion,
        Task::Controlnet,
        // Its replay is of the same set, which is named once.
        Task::Concept,
    ] {
        let config = desk.config(task, &format!("{task:?}"));
        assert_eq!(said(&card(&config)), both(), "{task:?}");
    }
    let whole = TrainConfig {
        fine_tune: Some(FineTuneConfig::default()),
        ..desk.config(Task::Base, "fine-tune")
    };
    assert_eq!(said(&card(&whole)), both());
}

#[test]
fn what_begins_without_a_model_is_owed_to_its_set() {
    let desk = desk();
    for task in [Task::Vae, Task::Judge, Task::Clip] {
        let config = desk.config(task, &format!("{task:?}"));
        let expected = ("CC BY 4.0".to_owned(), vec![CHILDREN.to_owned()]);
        assert_eq!(said(&card(&config)), expected, "{task:?}");
    }
    // What whoever trains has stated stays, before the rest.
    let mut stated = desk.config(Task::Vae, "stated");
    let own = stated.card.as_mut().unwrap();
    own.licence = "MIT".into();
    own.attribution = vec!["the code of somebody".into(), CHILDREN.into()];
    let (licence, credits) = said(&card(&stated));
    assert_eq!(licence, "MIT; CC BY 4.0");
    assert_eq!(credits, ["the code of somebody", CHILDREN]);
}

#[test]
fn a_second_set_is_named_beside_the_first() {
    let desk = desk();
    // A concept that learns of adults and keeps what it knows of children.
    let (_keep, adults) = small_set();
    let set = adults.join("card.json");
    edit(&set, &[("licence", json!("CC0")), ("attribution", json!("adults: Elsewhere"))]);
    let mut concept = desk.config(Task::Concept, "concept");
    concept.dataset = adults.clone();
    let (licence, credits) = said(&card(&concept));
    assert_eq!(licence, format!("{FREE}; CC0; CC BY 4.0"));
    assert_eq!(credits, [ADULTS, "adults: Elsewhere", CHILDREN]);
    // A model that went on from another, and then once more on the same set.
    let tuned = |model: PathBuf, dataset: PathBuf, out: &str| {
        let fine_tune = Some(FineTuneConfig::default());
        let config = desk.config(Task::Base, out);
        let config = TrainConfig { model, dataset, fine_tune, ..config };
        card(&config);
        desk.at(out).join("result")
    };
    let first = tuned(desk.at("model"), desk.dataset.clone(), "first");
    let second = tuned(first, adults.clone(), "second");
    let third = tuned(second, adults.clone(), "third");
    let (licence, credits) = said(&read_json(&third.join("card.json")).unwrap());
    assert_eq!(licence, format!("{FREE}; CC BY 4.0; CC0"));
    assert_eq!(credits, [ADULTS, CHILDREN, "adults: Elsewhere"]);
    // An adapter that goes on from one of another set.
    let before = desk.config(Task::Lora, "before");
    card(&before);
    let after = TrainConfig {
        dataset: adults,
        lora: Some(LoraConfig {
            start: Some(desk.at("before").join("result")),
            ..LoraConfig::default()
        }),
        ..desk.config(Task::Lora, "after")
    };
    card(&after);
    let adapter = Adapter::open(&desk.at("after").join("result")).unwrap();
    let about = adapter.card().unwrap();
    assert_eq!(about.licence, format!("{FREE}; CC BY 4.0; CC0"));
    assert_eq!(about.attribution, [ADULTS, CHILDREN, "adults: Elsewhere"]);
}

#[test]
fn a_card_of_one_credit_still_loads() {
    let desk = desk();
    card(&desk.config(Task::Lora, "old"));
    let result = desk.at("old").join("result");
    edit(&result.join("card.json"), &[("attribution", json!("somebody"))]);
    let adapter = Adapter::open(&result).unwrap();
    assert_eq!(adapter.card().unwrap().attribution, ["somebody"]);
}
