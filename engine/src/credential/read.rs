//! Reading a credential, and what it is worth.

use std::io::Cursor;

use c2pa::{Context, Reader, ValidationState};
use serde_json::{Value, json};

use super::{Credential, CredentialError, CredentialState};

/// Faults of one credential that are told, at most.
const MOST_FAULTS: usize = 8;
/// The code of what has none of its own (C2PA 2.2, 15.2.2). The library's words may repeat what stands in the file.
const UNREADABLE: &str = "general.error";

/// The credential of a PNG or JPEG; none where it has none. `anchors` are the certificates (PEM) that are
/// trusted. Nothing is asked of the network: a credential that the file only says to lie elsewhere is none.
///
/// # Errors
/// [`CredentialError::Anchors`] where they are no certificates. A credential that is damaged is no error, but
/// [`CredentialState::Invalid`].
pub fn read(bytes: &[u8], anchors: Option<&str>) -> Result<Option<Credential>, CredentialError> {
    let context = context(anchors)?;
    let format = if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
    match Reader::from_context(context).with_stream(format, Cursor::new(bytes)) {
        Ok(reader) => Ok(Some(credential(&reader))),
        Err(_) if !holds_one(bytes) => Ok(None),
        Err(_) => Ok(Some(Credential {
            state: CredentialState::Invalid,
            signer: None,
            common_name: None,
            serial_number: None,
            algorithm: None,
            program: None,
            source_type: None,
            faults: vec![UNREADABLE.to_owned()],
        })),
    }
}

/// Whether the text holds certificates (PEM) that can be trusted.
///
/// # Errors
/// [`CredentialError::Anchors`] where it holds none, or one that cannot be read.
pub fn check_anchors(anchors: &str) -> Result<(), CredentialError> {
    context(Some(anchors)).map(drop)
}

fn context(anchors: Option<&str>) -> Result<Context, CredentialError> {
    let context = Context::new().with_settings(settings(anchors));
    context.map_err(|cause| CredentialError::Anchors { cause: cause.to_string() })
}

/// Whether there is anything of a credential in a file: it lies in boxes of JUMBF (ISO 19566-5), all of which are of
/// this type. A file that the library cannot read for another reason is not thereby a forged one.
fn holds_one(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|part| part == b"jumb")
}

/// What the library is asked for: no network, and trust in `anchors` alone.
pub(super) fn settings(anchors: Option<&str>) -> Value {
    let mut settings = json!({
        "verify": { "ocsp_fetch": false, "remote_manifest_fetch": false },
    });
    if let Some(anchors) = anchors {
        // A signer's own certificate may stand among them without whoever vouches for it.
        settings["trust"] = json!({ "user_anchors": anchors, "allowed_list": anchors });
    }
    settings
}

fn credential(reader: &Reader) -> Credential {
    let state = match reader.validation_state() {
        ValidationState::Trusted => CredentialState::Trusted,
        ValidationState::Valid => CredentialState::Valid,
        ValidationState::Invalid => CredentialState::Invalid,
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
