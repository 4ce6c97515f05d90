#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use super::super::{Action, GENESIS, Signer, hash};
use super::*;

fn event(action: Action, object_type: &str) -> Event {
    let mut event = Event {
        sequence: 7,
        recorded_at: "2026-11-23T19:00:07.000000Z".to_owned(),
        actor_id: Some("0199aa00-0000-7000-8000-000000000001".to_owned()),
        actor_name: "clara".to_owned(),
        actor_roles: "clinician,auditor".to_owned(),
        action: action.word().to_owned(),
        object_type: object_type.to_owned(),
        object_id: Some("0199aa00-0000-7000-8000-000000000002".to_owned()),
        outcome: "success".to_owned(),
        detail: "{\"count\":1}".to_owned(),
        source_address: Some("192.0.2.7".to_owned()),
        previous_hash: GENESIS.to_owned(),
        hash: String::new(),
    };
    event.hash = hash(&event);
    event
}

fn source() -> Source {
    Source::of(&Signer::new(&[7; 32]).public_key())
}

fn line(form: Form, event: &Event) -> String {
    let mut written = String::new();
    Exporter::new(form, source()).event(&mut written, event).unwrap();
    written
}

/// Typed from PS3.15 A.5.1.1 and A.5.3.6, but for the installation's name and the row.
#[test]
fn a_message_of_ps3_15() {
    let event = event(Action::InstancesAccessed, "image");
    let expected = concat!(
        r#"<AuditMessage><EventIdentification EventActionCode="R" "#,
        r#"EventDateTime="2026-11-23T19:00:07.000000Z" EventOutcomeIndicator="0">"#,
        r#"<EventID csd-code="110103" codeSystemName="DCM" originalText="DICOM Instances Accessed"/>"#,
        r#"</EventIdentification>"#,
        r#"<ActiveParticipant UserID="0199aa00-0000-7000-8000-000000000001" UserName="clara" "#,
        r#"UserIsRequestor="true" NetworkAccessPointID="192.0.2.7" NetworkAccessPointTypeCode="2">"#,
        r#"<RoleIDCode csd-code="clinician" codeSystemName="Skiagraph" originalText="Clinician"/>"#,
        r#"<RoleIDCode csd-code="auditor" codeSystemName="Skiagraph" originalText="Auditor"/>"#,
        r#"</ActiveParticipant><ActiveParticipant UserID="SOURCE" UserIsRequestor="false">"#,
        r#"<RoleIDCode csd-code="110153" codeSystemName="DCM" originalText="Source Role ID"/>"#,
        r#"</ActiveParticipant><AuditSourceIdentification AuditSourceID="SOURCE">"#,
        r#"<AuditSourceTypeCode csd-code="4"/></AuditSourceIdentification>"#,
        r#"<ParticipantObjectIdentification "#,
        r#"ParticipantObjectID="urn:x-skiagraph:image:0199aa00-0000-7000-8000-000000000002" "#,
        r#"ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="4" "#,
        r#"ParticipantObjectDataLifeCycle="6">"#,
        r#"<ParticipantObjectIDTypeCode csd-code="12" codeSystemName="RFC-3881" originalText="URI"/>"#,
        r#"<ParticipantObjectName>image</ParticipantObjectName>"#,
        r#"<ParticipantObjectDetail type="urn:x-skiagraph:audit-row:1" value="ROW"/>"#,
        r#"</ParticipantObjectIdentification></AuditMessage>"#,
        "\n",
    );
    let expected =
        expected.replace("SOURCE", source().id()).replace("ROW", &text::encode_row(&event));
    assert_eq!(line(Form::AtnaXml(Spelling::Current), &event), expected);
    let early = expected.replace("csd-code", "code").replace("originalText", "displayName");
    assert_eq!(line(Form::AtnaXml(Spelling::Early), &event), early);
}

/// Typed from IHE BALP, `IHE.BasicAudit.Query`.
#[test]
fn a_query_of_balp() {
    let mut event = event(Action::Query, "image");
    event.object_id = None;
    let resource: Value = serde_json::from_str(&line(Form::Balp, &event)).unwrap();
    let id = source();
    let device = json!({
        "identifier": { "system": "urn:x-skiagraph:installation", "value": id.id() },
        "display": "Skiagraph",
    });
    let dcm = "http://dicom.nema.org/resources/ontology/DCM";
    let expected = json!({
        "resourceType": "AuditEvent",
        "id": "audit-7",
        "meta": {
            "profile": ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.Query"],
        },
        "extension": [
            { "url": "urn:x-skiagraph:audit-row:1", "valueBase64Binary": text::encode_row(&event) },
        ],
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation",
        },
        "subtype": [
            { "system": "http://hl7.org/fhir/restful-interaction", "code": "search", "display": "search" },
            { "system": dcm, "code": "110112", "display": "Query" },
        ],
        "action": "E",
        "recorded": "2026-11-23T19:00:07.000000Z",
        "outcome": "0",
        "outcomeDesc": "success",
        "agent": [
            {
                "type": { "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                    "code": "IRCP",
                    "display": "information recipient",
                }] },
                "who": { "identifier": {
                    "system": "urn:x-skiagraph:user",
                    "value": "0199aa00-0000-7000-8000-000000000001",
                } },
                "name": "clara",
                "role": [
                    { "coding": [{ "system": "urn:x-skiagraph:role", "code": "clinician" }] },
                    { "coding": [{ "system": "urn:x-skiagraph:role", "code": "auditor" }] },
                ],
                "requestor": true,
            },
            {
                "type": { "coding": [
                    { "system": dcm, "code": "110153", "display": "Source Role ID" },
                ] },
                "who": { "identifier": { "value": "192.0.2.7" }, "display": "192.0.2.7" },
                "requestor": false,
                "network": { "address": "192.0.2.7", "type": "2" },
            },
            {
                "type": { "coding": [
                    { "system": dcm, "code": "110152", "display": "Destination Role ID" },
                ] },
                "who": device,
                "requestor": false,
                "network": {
                    "address": format!("urn:x-skiagraph:installation:{}", id.id()),
                    "type": "5",
                },
            },
        ],
        "source": {
            "observer": device,
            "type": [{
                "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                "code": "4",
                "display": "Application Server",
            }],
        },
        "entity": [{
            "type": {
                "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
                "code": "2",
                "display": "System Object",
            },
            "role": {
                "system": "http://terminology.hl7.org/CodeSystem/object-role",
                "code": "24",
                "display": "Query",
            },
            "description": "image",
            "query": "eyJjb3VudCI6MX0=",
        }],
    });
    assert_eq!(resource, expected);
}

#[test]
fn only_what_a_pattern_is_for_claims_it() {
    let claims = |event: &Event| line(Form::Balp, event).contains("IHE.BasicAudit");
    for action in Action::ALL {
        let event = event(action, "image");
        let code = action.event_id().value;
        let restful = !["110100", "110101", "110114"].contains(&code)
            && !matches!(action, Action::RestrictedFunction | Action::SecurityAlert);
        assert_eq!(claims(&event), restful, "{action:?}");
        assert!(!claims(&Event { outcome: "refused".to_owned(), ..event.clone() }), "{action:?}");
        assert!(!claims(&Event { source_address: None, ..event }), "{action:?}");
    }
}

#[test]
fn json_lines_hold_every_column_and_the_codes() {
    let event = event(Action::Login, "user");
    let value: Value = serde_json::from_str(&line(Form::JsonLines, &event)).unwrap();
    let columns = serde_json::to_value(&event).unwrap();
    for (name, column) in columns.as_object().unwrap() {
        assert_eq!(&value[name], column, "{name}");
    }
    assert_eq!(value["event_id"], "110114");
    assert_eq!(value["event_type"], "110122");
    assert_eq!(value["event_action"], "E");
    assert_eq!(value["outcome_indicator"], 0);
}

/// Text that would end an element, an attribute or a line, or that XML cannot hold at all.
const HOSTILE: &str = "<a b=\"&amp;\">'\u{0}\u{1b}\r\n\t\u{ffff}\u{2028}𝄞 =1+1";

#[test]
fn hostile_text_stays_text_in_every_form() {
    for form in Form::ALL {
        for field in 0..6 {
            let mut event = event(Action::RestrictedFunction, "endpoint");
            let hostile = HOSTILE.to_owned();
            match field {
                0 => event.actor_name = hostile,
                1 => event.actor_id = Some(hostile),
                2 => event.object_id = Some(hostile),
                3 => event.object_type = hostile,
                4 => event.detail = hostile,
                _ => event.source_address = Some(hostile),
            }
            event.hash = hash(&event);
            let exporter = Exporter::new(form, source());
            let line = line(form, &event);
            let bare = line.strip_suffix('\n').unwrap().trim_end_matches('\r');
            if form != Form::Csv {
                assert!(!bare.contains(['\r', '\n', '\0']), "{form:?}: {bare:?}");
            }
            // Nothing of it is lost: the row comes back as it was, letter by letter.
            let Scanned::Row(back) = exporter.scan(bare) else { panic!("{form:?}: {bare:?}") };
            assert_eq!(*back, event, "{form:?}");
            assert!(exporter.writes(&event, bare), "{form:?}");
        }
    }
}

#[test]
fn a_form_is_known_by_its_word_and_by_its_first_line() {
    for form in Form::ALL {
        assert_eq!(Form::parse(form.word()), Some(form));
        let exporter = Exporter::new(form, source());
        let mut written = String::new();
        exporter.begin(&mut written).unwrap();
        exporter.event(&mut written, &event(Action::Import, "upload")).unwrap();
        exporter.end(&mut written).unwrap();
        assert_eq!(form_of(written.lines().next().unwrap()), Some(form));
    }
    assert_eq!(Form::parse("pdf"), None);
    assert_eq!(form_of("%PDF-1.7"), None);
}
