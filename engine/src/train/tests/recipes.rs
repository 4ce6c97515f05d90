//! The recipes that come with the project are configurations of today.

use super::*;

#[test]
fn every_recipe_is_a_configuration() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes");
    let mut tasks = Vec::new();
    for folder in ["starter", "beside"] {
        for entry in std::fs::read_dir(recipes.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let mut table: toml::Table = toml::from_str(&text).unwrap();
            for key in ["dataset", "out"] {
                table.insert(key.into(), "somewhere".into());
            }
            let config: TrainConfig = table.try_into().unwrap_or_else(|e| panic!("{path:?}: {e}"));
            config.validate().unwrap_or_else(|e| panic!("{path:?}: {e}"));
            tasks.push(config.task);
        }
    }
    for task in [Task::Controlnet, Task::Clip, Task::Concept] {
        assert!(tasks.contains(&task), "{task:?}");
    }
}
