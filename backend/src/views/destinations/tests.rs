//! What settings of archives fit together, and what opens one.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn settings(change: &Value) -> Result<Settings, Vec<String>> {
    let mut all = json!({
        "kind": "dicomweb", "address": "https://pacs.example/dicom-web/",
        "accepts_synthetic": true, "authentication": "basic", "username": "skiagraph",
        "secret": "a lamp",
    });
    for (name, value) in change.as_object().unwrap() {
        all[name] = value.clone();
    }
    let settings: DestinationSettings = serde_json::from_value(all).unwrap();
    let faults = |faults: Vec<FieldError>| faults.into_iter().map(|fault| fault.field).collect();
    settings.checked().map_err(faults)
}

fn dimse(change: &Value) -> Result<Settings, Vec<String>> {
    let mut all = json!({
        "kind": "dimse", "address": "pacs.example:11112", "ae_title": "RESEARCH",
        "authentication": null, "username": null, "secret": null,
    });
    for (name, value) in change.as_object().unwrap() {
        all[name] = value.clone();
    }
    settings(&all)
}

#[test]
fn settings_that_fit_are_kept_in_one_form() {
    let model = settings(&json!({})).unwrap().model("web".to_owned(), None, "u");
    assert_eq!(model.address, "https://pacs.example/dicom-web");
    assert_eq!((model.tls, model.timeout_seconds), (true, 30));
    assert_eq!((model.ae_title, model.calling_ae_title), (None, None));
    let model = dimse(&json!({})).unwrap().model("pacs".to_owned(), None, "u");
    assert_eq!(model.calling_ae_title.as_deref(), Some(OWN_TITLE));
    assert!(!model.tls && model.authentication == "none");
}

#[test]
fn what_does_not_fit_is_named() {
    for (change, field) in [
        (json!({ "address": "http://pacs.example/dicom-web" }), "address"),
        (json!({ "address": "https://erika:lamp@pacs.example/" }), "address"),
        (json!({ "address": "https://pacs.example/?key=1" }), "address"),
        (json!({ "address": "pacs.example:443" }), "address"),
        (json!({ "ae_title": "RESEARCH" }), "ae_title"),
        (json!({ "tls": false }), "tls"),
        (json!({ "authorities": "no certificate" }), "authorities"),
        (json!({ "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "username": "a:b" }), "username"),
        (json!({ "username": null }), "username"),
        (json!({ "secret": "two\nlines" }), "secret"),
        (json!({ "authentication": "bearer", "username": null }), "secret"),
    ] {
        assert_eq!(settings(&change).unwrap_err(), [field], "{change}");
    }
    for (change, field) in [
        (json!({ "address": "pacs.example" }), "address"),
        (json!({ "address": "pacs.example:0" }), "address"),
        (json!({ "address": "https://pacs.example:104" }), "address"),
        (json!({ "ae_title": null }), "ae_title"),
        (json!({ "ae_title": "LONGER THAN SIXTEEN" }), "ae_title"),
        (json!({ "tls": true }), "authorities"),
        (json!({ "server_name": "pacs" }), "server_name"),
    ] {
        assert_eq!(dimse(&change).unwrap_err(), [field], "{change}");
    }
    assert!(dimse(&json!({ "address": "[2001:db8::7]:104" })).is_ok());
}

#[test]
fn a_new_archive_needs_what_opens_it_and_a_name_for_addresses() {
    let new = |name: &str, secret: Value| {
        let new: NewDestination = serde_json::from_value(json!({
            "name": name,
            "settings": {
                "kind": "dicomweb", "address": "https://pacs.example/dicom-web",
                "accepts_synthetic": false, "authentication": "bearer", "secret": secret,
            },
        }))
        .unwrap();
        new.checked().map_err(|faults| faults[0].field.clone())
    };
    assert_eq!(new("research-1", json!("token")).unwrap().0, "research-1");
    assert_eq!(new("research", Value::Null).unwrap_err(), "settings.secret");
    for name in ["", "a/b", "-a", "a b", &"a".repeat(65)] {
        assert_eq!(new(name, json!("token")).unwrap_err(), "name", "{name}");
    }
}

#[test]
fn a_secret_that_is_kept_goes_nowhere_else() {
    let before =
        settings(&json!({})).unwrap().model("web".to_owned(), Some("file".to_owned()), "u");
    let keeps = |change: Value| {
        let mut all = json!({ "secret": null });
        for (name, value) in change.as_object().unwrap() {
            all[name] = value.clone();
        }
        settings(&all).unwrap().keeps_secret_of(&before)
    };
    assert!(keeps(json!({})).unwrap());
    assert!(
        keeps(json!({ "address": "https://pacs.example/other", "timeout_seconds": 9 })).unwrap()
    );
    assert!(!keeps(json!({ "secret": "another" })).unwrap());
    assert!(!keeps(json!({ "authentication": "none", "username": null })).unwrap());
    assert!(keeps(json!({ "address": "https://elsewhere.example/dicom-web" })).is_err());
    assert!(keeps(json!({ "address": "https://pacs.example:8443/dicom-web" })).is_err());
    assert!(keeps(json!({ "username": "another" })).is_err());
    assert!(keeps(json!({ "authentication": "bearer", "username": null })).is_err());
}

#[test]
fn what_opens_an_archive_is_in_no_answer_and_no_log() {
    let settings = settings(&json!({})).unwrap();
    assert!(!format!("{settings:?}").contains("lamp"));
    let (settings, secret) = settings.without_secret();
    assert_eq!(secret.as_deref(), Some("a lamp"));
    let model = settings.model("web".to_owned(), Some("destination-1".to_owned()), "u");
    let known = Known::Record(Box::new(model));
    for whole in [true, false] {
        let view = DestinationView::of("web".to_owned(), &known, whole).unwrap();
        let text = serde_json::to_string(&view).unwrap();
        assert!(!text.contains("lamp") && !text.contains("destination-1"), "{text}");
        assert_eq!(view.username.is_some(), whole);
    }
}
