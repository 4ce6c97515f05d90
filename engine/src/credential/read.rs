//! Reading a credential, and what it is worth.

use std::io::Cursor;

use c2pa::{Context, Reader, ValidationState};
use serde_json::{Value, json};

use super::{Credential, CredentialError, CredentialState};

/// Faults of one credential that are told, at most.
const MOST_FAULTS: usize = 8;

/// The credential of a PNG or JPEG; none where it has none. `anchors` are the certificates (PEM) that are
/// trusted. Nothing is asked of the network.
///
/// # Errors
/// [`CredentialError::Anchors`] where they are no certificates. A credential that is damaged is no error, but
/// [`CredentialState::Invalid`].
pub fn read(bytes: &[u8], anchors: Option<&str>) -> Result<Option<Credential>, CredentialError> {
    let context = Context::new()
        .with_settings(settings(anchors))
        .map_err(|cause| CredentialError::Anchors { cause: cause.to_string() })?;
    let format = if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
    match Reader::from_context(context).with_stream(format, Cursor::new(bytes)) {
        Ok(reader) => Ok(Some(credential(&reader))),
        Err(c2pa::Error::JumbfNotFound) => Ok(None),
        Err(cause) => Ok(Some(Credential {
            state: CredentialState::Invalid,
            signer: None,
            common_name: None,
            serial_number: None,
            algorithm: None,
            program: None,
            source_type: None,
            faults: vec![cause.to_string()],
        })),
    }
}

/// What the library is asked for: no network, and trust in `anchors` alone.
pub(super) fn settings(anchors: Option<&str>) -> Value {
    let mut settings = json!({
        "verify": { "ocsp_fetch": false, "remote_manifest_fetch": false },
    });
    if let Some(anchors) = anchors {
        settings["trust"] = json!({ "user_anchors": anchors });
    }
    settings
}

fn credential(reader: &Reader) -> Credential {
    let state = match reader.validation_state() {
        ValidationState::Trusted => CredentialState::Trusted,
        ValidationState::Valid => CredentialState::Valid,
        _ => CredentialState::Invalid,
    };
    // The library's own JSON, in the words of the specification.
    let store: Value = serde_json::from_str(&reader.json()).unwrap_or_default();
    let manifest = &store["manifests"][store["active_manifest"].as_str().unwrap_or_default()];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let signature = &manifest["signature_info"];
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let assertions = list(&manifest["assertions"]);
    let is_actions = |assertion: &&Value| {
        assertion["label"].as_str().is_some_and(|label| label.starts_with("c2pa.actions"))
    };
    let source_type = assertions
        .iter()
        .filter(is_actions)
        .flat_map(|assertion| assertion["data"]["actions"].as_array().unwrap_or(&empty))
        .find_map(|action| text(&action["digitalSourceType"]));
    let faults = list(&store["validation_status"]);
    let faults = faults.iter().filter_map(|fault| text(&fault["code"])).take(MOST_FAULTS);
    Credential {
        state,
        signer: text(&signature["issuer"]),
        common_name: text(&signature["common_name"]),
        serial_number: text(&signature["cert_serial_number"]),
        algorithm: text(&signature["alg"]),
        program: text(&manifest["claim_generator_info"][0]["name"]),
        source_type,
        faults: faults.collect(),
    }
}
