//! The log as FHIR R4 AuditEvent, by the patterns of IHE ITI BALP (Basic Audit Log Patterns).
//!
//! An event that is a RESTful create, read, update or query, succeeded, and came over the network
//! says that it is of the pattern (`meta.profile`): the patterns are for these alone. Every other
//! event is an AuditEvent with its DICOM codes. None is of a *Patient* pattern, for the log knows no
//! patient. Resources stand one a line (`application/fhir+ndjson`), as bulk data does.

use std::fmt::{self, Write};

use serde_json::{Map, Value, json};

use super::super::{Action, Event, Outcome};
use super::codes::{actor_identifier, is_platform, object_codes, object_uri, platform_is_source};
use super::text::{Scanned, clean, decode_row, encode, encode_row};
use super::{ROW, Source};

/// How every line begins.
pub(super) const BEGINNING: &str = "{\"resourceType\":\"AuditEvent\"";

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const LIFE_CYCLE: &str = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/";

/// A pattern of BALP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    Create,
    Read,
    Update,
    Query,
}

impl Pattern {
    /// The pattern of what was done; none where it is no RESTful operation on a resource.
    const fn of(action: Action) -> Option<Self> {
        match action {
            Action::InstancesCreated
            | Action::Import
            | Action::OrderCreated
            | Action::ReviewCreated
            | Action::UserCreated => Some(Self::Create),
            Action::InstancesAccessed
            | Action::Export
            | Action::InstancesTransferred
            | Action::OrderRead
            | Action::ReviewRead
            | Action::UserRead => Some(Self::Read),
            Action::OrderChanged
            | Action::UserChanged
            | Action::RolesChanged
            | Action::NetworkConfigured => Some(Self::Update),
            Action::Query => Some(Self::Query),
            Action::ApplicationStart
            | Action::ApplicationStop
            | Action::Login
            | Action::Logout
            | Action::SessionRenewed
            | Action::AuditLogUsed
            | Action::RestrictedFunction
            | Action::SecurityAlert
            | Action::Checkpoint => None,
        }
    }

    /// Name of the profile after `IHE.BasicAudit.`, and code of the interaction.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("Create", "create"),
            Self::Read => ("Read", "read"),
            Self::Update => ("Update", "update"),
            Self::Query => ("Query", "search"),
        }
    }

    /// What the user is in it: `agent.type`, of v3 ParticipationType.
    const fn user(self) -> (&'static str, &'static str) {
        match self {
            Self::Create | Self::Update => ("AUT", "author (originator)"),
            Self::Read | Self::Query => ("IRCP", "information recipient"),
        }
    }
}

/// The line of an event, with its line end.
pub(super) fn event(out: &mut impl Write, event: &Event, source: &Source) -> fmt::Result {
    let action = Action::parse(&event.action);
    let pattern = action.and_then(Pattern::of);
    let mut members = Map::new();
    let mut say = |name: &str, value: Value| members.insert(name.to_owned(), value);
    say("id", json!(format!("audit-{}", event.sequence)));
    let whole = pattern.filter(|_| {
        event.outcome == Outcome::Success.word()
            && event.source_address.is_some()
            && !is_platform(event)
    });
    if let Some(pattern) = whole {
        let (profile, _) = pattern.names();
        say("meta", json!({ "profile": [format!("{PROFILES}IHE.BasicAudit.{profile}")] }));
    }
    say("extension", json!([{ "url": ROW, "valueBase64Binary": encode_row(event) }]));
    let (kind, subtypes) = types(event, action, pattern);
    say("type", kind);
    if !subtypes.is_empty() {
        say("subtype", Value::Array(subtypes));
    }
    if let Some(action) = action {
        say("action", json!(action.event_action()));
    }
    say("recorded", json!(event.recorded_at));
    let outcome = Outcome::parse(&event.outcome);
    say("outcome", json!(outcome.map_or(12, Outcome::indicator).to_string()));
    say("outcomeDesc", json!(filled(&event.outcome)));
    say("agent", Value::Array(agents(event, pattern, source)));
    say(
        "source",
        json!({
            "observer": device(source),
            "type": [coding(SOURCE_TYPE, "4", "Application Server")],
        }),
    );
    say("entity", json!([entity(event, pattern)]));
    // The kind of resource first: it is what a reader looks at.
    let mut body = Value::Object(members);
    body.sort_all_objects();
    let body = body.to_string();
    writeln!(out, "{BEGINNING},{}", body.trim_start_matches('{'))
}

/// What a line is.
pub(super) fn scan(line: &str) -> Scanned {
    let row = || {
        let resource: Value = serde_json::from_str(line).ok()?;
        let extension =
            resource["extension"].as_array()?.iter().find(|extension| extension["url"] == ROW)?;
        decode_row(extension["valueBase64Binary"].as_str()?)
    };
    row().map_or(Scanned::Unreadable, |row| Scanned::Row(Box::new(row)))
}

/// `type` and `subtype`: the interaction where it is one, with the DICOM codes beside it; else the
/// DICOM codes alone.
fn types(event: &Event, action: Option<Action>, pattern: Option<Pattern>) -> (Value, Vec<Value>) {
    let Some(action) = action else {
        return (coding("urn:x-skiagraph:action", &event.action, &event.action), Vec::new());
    };
    let id = action.event_id();
    let id = coding(DCM, id.value, id.meaning);
    let kind = action.event_type().map(|code| coding(DCM, code.value, code.meaning));
    match pattern {
        Some(pattern) => {
            let (_, interaction) = pattern.names();
            let mut subtypes = vec![coding(INTERACTION, interaction, interaction), id];
            subtypes.extend(kind);
            (coding(EVENT_TYPE, "rest", "RESTful Operation"), subtypes)
        }
        None => (id, kind.into_iter().collect()),
    }
}

/// Who took part: who acted, the machine that they acted from, the platform.
fn agents(event: &Event, pattern: Option<Pattern>, source: &Source) -> Vec<Value> {
    let itself = is_platform(event);
    let mut user = json!({ "who": actor(event), "requestor": !itself });
    if let Some((code, meaning)) = pattern.map(Pattern::user).filter(|_| !itself) {
        user["type"] = json!({ "coding": [coding(PARTICIPATION, code, meaning)] });
    } else if itself {
        user["type"] = json!({ "coding": [coding(DCM, "110150", "Application")] });
    }
    if !event.actor_name.trim().is_empty() {
        user["name"] = json!(clean(&event.actor_name));
    }
    let roles: Vec<Value> = event
        .actor_roles
        .split_terminator(',')
        .map(|role| json!({ "coding": [{ "system": "urn:x-skiagraph:role", "code": role }] }))
        .collect();
    if !roles.is_empty() {
        user["role"] = Value::Array(roles);
    }
    let mut agents = vec![user];
    if itself {
        return agents;
    }
    let source_role = coding(DCM, "110153", "Source Role ID");
    let destination_role = coding(DCM, "110152", "Destination Role ID");
    let (client_role, server_role) = if platform_is_source(event) {
        (destination_role, source_role)
    } else {
        (source_role, destination_role)
    };
    if let Some(address) = &event.source_address {
        let address = clean(address);
        agents.push(json!({
            "type": { "coding": [client_role] },
            "who": { "identifier": { "value": address }, "display": address },
            "requestor": false,
            "network": { "address": address, "type": "2" },
        }));
    }
    agents.push(json!({
        "type": { "coding": [server_role] },
        "who": device(source),
        "requestor": false,
        "network": { "address": format!("urn:x-skiagraph:installation:{}", source.id()), "type": "5" },
    }));
    agents
}

/// What it was done to.
fn entity(event: &Event, pattern: Option<Pattern>) -> Value {
    let codes = object_codes(event);
    let mut entity = json!({
        "type": coding(ENTITY_TYPE, codes.kind.value, codes.kind.meaning),
        "role": coding(OBJECT_ROLE, codes.role.value, codes.role.meaning),
    });
    if pattern == Some(Pattern::Query) {
        // The pattern forbids what, life cycle and detail here.
        entity["description"] = json!(filled(&event.object_type));
        entity["query"] = json!(encode(&event.detail));
        return entity;
    }
    if pattern.is_some() {
        // A pattern's data is a system object in one of three roles, users included.
        entity["type"] = coding(ENTITY_TYPE, "2", "System Object");
        if !matches!(codes.role.value, "3" | "4" | "20") {
            entity["role"] = coding(OBJECT_ROLE, "4", "Domain Resource");
        }
    }
    entity["what"] = json!({
        "identifier": { "system": "urn:ietf:rfc:3986", "value": clean(&object_uri(event)) },
        "display": filled(&event.object_type),
    });
    if let Some(stage) = codes.life_cycle {
        entity["lifecycle"] = coding(LIFE_CYCLE, stage.value, stage.meaning);
    }
    entity
}

fn actor(event: &Event) -> Value {
    let system =
        if event.actor_id.is_some() { "urn:x-skiagraph:user" } else { "urn:x-skiagraph:name" };
    json!({ "identifier": { "system": system, "value": filled(actor_identifier(event)) } })
}

fn device(source: &Source) -> Value {
    json!({
        "identifier": { "system": "urn:x-skiagraph:installation", "value": source.id() },
        "display": "Skiagraph",
    })
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

/// FHIR has no empty texts.
fn filled(text: &str) -> String {
    if text.trim().is_empty() { "unknown".to_owned() } else { clean(text) }
}
