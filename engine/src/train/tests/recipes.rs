//! The recipes that come with the project are configurations of today, and those of the starter model fit each other.

use super::*;
use crate::model::Sides;

fn read(path: &Path) -> TrainConfig {
    let text = std::fs::read_to_string(path).unwrap();
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    for key in ["dataset", "out"] {
        table.insert(key.into(), "somewhere".into());
    }
    let config: TrainConfig = table.try_into().unwrap_or_else(|e| panic!("{path:?}: {e}"));
    config.validate().unwrap_or_else(|e| panic!("{path:?}: {e}"));
    config
}

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes")
}

#[test]
fn every_recipe_is_a_configuration() {
    let mut tasks = Vec::new();
    let folders = ["starter", "figures", "few"].map(|name| recipes().join(name));
    for folder in folders.into_iter().chain([recipes()]) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                tasks.push(read(&path).task);
            }
        }
    }
    for task in [Task::Vae, Task::Base, Task::Judge, Task::Controlnet, Task::Clip, Task::Concept] {
        assert!(tasks.contains(&task), "{task:?}");
    }
}

#[test]
fn the_starters_networks_fit_each_other() {
    let starter = |name: &str| read(&recipes().join("starter").join(name));
    let judge = starter("judge.toml").judge.unwrap().classifier.unwrap();
    judge.validate().unwrap();
    assert_eq!(judge.findings.len(), crate::terms::findings().len());
    starter("segmenter.toml").judge.unwrap().segmenter.unwrap().validate().unwrap();
    let vae = starter("vae.toml");
    let sizes = vae.vae.unwrap();
    sizes.validate().unwrap();
    assert_eq!((sizes.compression(), sizes.latent_channels, sizes.sample_size), (16, 16, 256));
    vae.vae_loss.unwrap().adversary.unwrap().network.validate(256).unwrap();
    let base = starter("base.toml");
    let unet = base.unet.unwrap();
    unet.validate().unwrap();
    assert_eq!(unet.in_channels, sizes.latent_channels);
    assert_eq!(unet.sample_size, Some(Sides::Square(16)));
    assert_eq!(unet.context_width(), base.text.unwrap().hidden_size);
    assert_eq!(base.card.unwrap().image_size, sizes.sample_size);
}
