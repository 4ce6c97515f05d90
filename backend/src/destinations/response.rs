//! The Store Instances Response Module in DICOM JSON (PS3.18 annexes F and I.2), as an answer about one
//! object.

use serde_json::Value;
use skiagraph_engine::dicom::exchange::Status;

/// Failed SOP Sequence.
const FAILED: &str = "00081198";
/// Other Failures Sequence: of what the archive could not read enough to name it.
const OTHER_FAILURES: &str = "0008119A";
/// Referenced SOP Sequence: of what is kept.
const REFERENCED: &str = "00081199";
/// Failure Reason.
const FAILURE_REASON: &str = "00081197";
/// Warning Reason.
const WARNING_REASON: &str = "00081196";
/// What a failure without a reason is: Processing Failure.
const PROCESSING_FAILURE: Status = Status(0x0110);

/// What an answer says of the object that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It is not kept, for this reason.
    Failed(Status),
    /// It is kept; with a warning, or with success.
    Kept(Status),
    /// Neither.
    Nothing,
    /// The answer is no DICOM JSON.
    Unreadable,
}

/// Reads an answer. One that is empty says nothing.
pub(super) fn read(body: &[u8]) -> Said {
    if body.trim_ascii().is_empty() {
        return Said::Nothing;
    }
    let module = match serde_json::from_slice(body) {
        Ok(Value::Object(module)) => Value::Object(module),
        // Searches are answered with a list of data sets, and some archives answer so here.
        Ok(Value::Array(mut list)) if list.len() <= 1 => list.pop().unwrap_or_default(),
        Ok(_) | Err(_) => return Said::Unreadable,
    };
    let first = |sequence: &str| module[sequence]["Value"].get(0).cloned();
    if let Some(item) = first(FAILED).or_else(|| first(OTHER_FAILURES)) {
        // A reason that calls itself none would make a failure look kept.
        let reason = number(&item[FAILURE_REASON]).filter(|reason| !reason.is_kept());
        return Said::Failed(reason.unwrap_or(PROCESSING_FAILURE));
    }
    match first(REFERENCED) {
        Some(item) => {
            // A reason that is no warning changes nothing about the object being kept.
            let warning = number(&item[WARNING_REASON]).filter(|warning| warning.is_kept());
            Said::Kept(warning.unwrap_or(Status::SUCCESS))
        }
        None => Said::Nothing,
    }
}

/// The value of an attribute of VR US; some archives write numbers as text.
fn number(attribute: &Value) -> Option<Status> {
    let value = &attribute["Value"][0];
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    u16::try_from(number).ok().map(Status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(answer: &Value) -> Said {
        read(answer.to_string().as_bytes())
    }

    fn item(tag: &str, value: &Value) -> Value {
        json!({
            "00081150": { "vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.1.1"] },
            "00081155": { "vr": "UI", "Value": ["1.2.3"] },
            tag: { "vr": "US", "Value": [value] },
        })
    }

    #[test]
    fn what_is_kept_and_what_is_not_is_told_with_its_reason() {
        let sequence = |tag: &str, item: Value| json!({ tag: { "vr": "SQ", "Value": [item] } });
        let plain = json!({ "00081155": { "vr": "UI", "Value": ["1.2.3"] } });
        for (answer, expected) in [
            (sequence(REFERENCED, plain.clone()), Said::Kept(Status::SUCCESS)),
            (
                sequence(REFERENCED, item(WARNING_REASON, &json!(45056))),
                Said::Kept(Status::COERCED),
            ),
            (
                sequence(REFERENCED, item(WARNING_REASON, &json!("45056"))),
                Said::Kept(Status::COERCED),
            ),
            (
                sequence(FAILED, item(FAILURE_REASON, &json!(0xA700))),
                Said::Failed(Status::OUT_OF_RESOURCES),
            ),
            (
                sequence(OTHER_FAILURES, item(FAILURE_REASON, &json!(272))),
                Said::Failed(PROCESSING_FAILURE),
            ),
            (sequence(FAILED, plain.clone()), Said::Failed(PROCESSING_FAILURE)),
            (sequence(FAILED, item(FAILURE_REASON, &json!(0))), Said::Failed(PROCESSING_FAILURE)),
            (
                sequence(FAILED, item(FAILURE_REASON, &json!(70000))),
                Said::Failed(PROCESSING_FAILURE),
            ),
            (json!([sequence(REFERENCED, plain)]), Said::Kept(Status::SUCCESS)),
            (json!({}), Said::Nothing),
            (json!([]), Said::Nothing),
            (json!("kept"), Said::Unreadable),
            (json!([{}, {}]), Said::Unreadable),
        ] {
            assert_eq!(said(&answer), expected, "{answer}");
        }
    }

    #[test]
    fn a_failure_counts_more_than_what_is_kept_beside_it() {
        let mut answer =
            json!({ REFERENCED: { "vr": "SQ", "Value": [item(WARNING_REASON, &json!(0xB007))] } });
        answer[FAILED] = json!({ "vr": "SQ", "Value": [item(FAILURE_REASON, &json!(0xA900))] });
        assert_eq!(said(&answer), Said::Failed(Status::CLASS_MISMATCH));
    }

    #[test]
    fn an_answer_that_is_none_says_so() {
        assert_eq!(read(b" \r\n"), Said::Nothing);
        assert_eq!(read(b"<NativeDicomModel/>"), Said::Unreadable);
        assert_eq!(read(b"{\"00081198\":"), Said::Unreadable);
    }
}
