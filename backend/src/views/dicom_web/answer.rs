//! What a search, a look at metadata and a store are answered (PS3.18 10.4, 10.5, 10.6).

use serde_json::{Map, Value, json};

use super::Search;
use super::keys::{OF_INSTANCE, OF_SERIES, OF_STUDY};
use crate::models::instances::{Group, Model};

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Studies.
    Study,
    /// Series.
    Series,
    /// Instances.
    Instance,
}

impl Level {
    /// The word in the audit log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Study => "study",
            Self::Series => "series",
            Self::Instance => "instance",
        }
    }
}

/// Where instances are found: the address of the service.
#[derive(Debug, Clone)]
pub struct Place(pub String);

impl Place {
    /// The address of a study.
    pub fn study(&self, study: &str) -> String {
        format!("{}/studies/{study}", self.0)
    }

    /// The address of a series.
    pub fn series(&self, model: &Model) -> String {
        let study = self.study(&model.study_instance_uid);
        format!("{study}/series/{}", model.series_instance_uid)
    }

    /// The address of an instance.
    pub fn instance(&self, model: &Model) -> String {
        format!("{}/instances/{}", self.series(model), model.sop_instance_uid)
    }
}

/// A study as a result.
pub fn study(group: &Group, place: &Place, search: &Search) -> Value {
    let mut result = picked(&group.first, &OF_STUDY, search);
    put(&mut result, "00080056", "CS", json!(["ONLINE"]));
    put(&mut result, "00080061", "CS", json!(group.modalities));
    put(&mut result, "00201206", "IS", json!([group.series]));
    put(&mut result, "00201208", "IS", json!([group.instances]));
    let address = place.study(&group.first.study_instance_uid);
    put(&mut result, "00081190", "UR", json!([address]));
    data_set(result)
}

/// A series as a result.
pub fn series(group: &Group, place: &Place, search: &Search) -> Value {
    let mut result = picked(&group.first, &OF_SERIES, search);
    put(&mut result, "00080056", "CS", json!(["ONLINE"]));
    put(&mut result, "00201209", "IS", json!([group.instances]));
    put(&mut result, "00081190", "UR", json!([place.series(&group.first)]));
    data_set(result)
}

/// An instance as a result.
pub fn instance(model: &Model, place: &Place, search: &Search) -> Value {
    let mut result = picked(model, &OF_INSTANCE, search);
    put(&mut result, "00080056", "CS", json!(["ONLINE"]));
    put(&mut result, "00083002", "UI", json!([model.transfer_syntax_uid]));
    put(&mut result, "00081190", "UR", json!([place.instance(model)]));
    data_set(result)
}

/// All attributes of an instance, with the addresses of those that are bulk data.
pub fn metadata(model: &Model, place: &Place) -> Value {
    let mut attributes = attributes(model);
    let address = place.instance(model);
    for attribute in attributes.values_mut().filter_map(Value::as_object_mut) {
        if let Some(Value::String(uri)) = attribute.get_mut("BulkDataURI") {
            *uri = format!("{address}/bulkdata/{uri}");
        }
    }
    put(&mut attributes, "00083002", "UI", json!([model.transfer_syntax_uid]));
    put(&mut attributes, "00081190", "UR", json!([address]));
    data_set(attributes)
}

/// An instance that was stored: the UIDs that it came with, and where it is under those that it has.
pub fn stored(class: &str, instance: &str, address: Option<String>) -> Value {
    let mut item = Map::new();
    put(&mut item, "00081150", "UI", json!([class]));
    put(&mut item, "00081155", "UI", json!([instance]));
    if let Some(address) = address {
        put(&mut item, "00081190", "UR", json!([address]));
    }
    Value::Object(item)
}

fn attributes(model: &Model) -> Map<String, Value> {
    serde_json::from_str(&model.attributes).unwrap_or_default()
}

/// The usual attributes and those that were asked for; a usual one without a value is empty.
fn picked(model: &Model, usual: &[(&str, &str)], search: &Search) -> Map<String, Value> {
    let mut all = attributes(model);
    // Bulk data is no part of a result.
    all.retain(|_, attribute| attribute.get("BulkDataURI").is_none());
    let mut result = if search.include_all { all.clone() } else { Map::new() };
    for (tag, vr) in usual {
        let value = all.remove(*tag).unwrap_or_else(|| json!({ "vr": vr }));
        result.insert((*tag).to_owned(), value);
    }
    for tag in &search.include {
        if let Some(value) = all.remove(tag) {
            result.insert(tag.clone(), value);
        }
    }
    result
}

/// The attributes by ascending tag (PS3.18 F.2.2).
pub fn data_set(mut attributes: Map<String, Value>) -> Value {
    attributes.sort_keys();
    Value::Object(attributes)
}

fn put(attributes: &mut Map<String, Value>, tag: &str, vr: &str, value: Value) {
    attributes.insert(tag.to_owned(), json!({ "vr": vr, "Value": value }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_stand_by_ascending_tag() {
        let mut attributes = Map::new();
        for tag in ["00201206", "00080056", "0020000D", "00080005"] {
            put(&mut attributes, tag, "CS", json!([]));
        }
        let set = data_set(attributes);
        let tags: Vec<&str> =
            set.as_object().into_iter().flatten().map(|(tag, _)| &**tag).collect();
        assert_eq!(tags, ["00080005", "00080056", "0020000D", "00201206"]);
    }
}
