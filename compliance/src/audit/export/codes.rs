//! What an event's object is in the vocabularies that PS3.15 A.5.1.2 and FHIR share: Participant
//! Object Type Code, its role, its data life cycle.

use super::super::{Action, Event};

/// What an object is, and what was done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectCodes {
    /// Participant Object Type Code.
    pub(super) kind: Coded,
    /// Participant Object Type Code Role.
    pub(super) role: Coded,
    /// Participant Object Data Life Cycle; none where nothing was done with data.
    pub(super) life_cycle: Option<Coded>,
    /// Participant Object ID Type Code.
    pub(super) identifier: Coded,
}

/// A value of A.5.1.2 and its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) value: &'static str,
    pub(super) meaning: &'static str,
}

const fn coded(value: &'static str, meaning: &'static str) -> Coded {
    Coded { value, meaning }
}

const PERSON: Coded = coded("1", "Person");
const SYSTEM_OBJECT: Coded = coded("2", "System Object");

const DOMAIN_RESOURCE: Coded = coded("4", "Domain Resource");
const SECURITY_USER: Coded = coded("11", "Security User Entity");
const SECURITY_RESOURCE: Coded = coded("13", "Security Resource");
const JOB: Coded = coded("20", "Job");
const QUERY: Coded = coded("24", "Query");

const ORIGINATION: Coded = coded("1", "Origination / Creation");
const IMPORT: Coded = coded("2", "Import / Copy");
const AMENDMENT: Coded = coded("3", "Amendment");
const VERIFICATION: Coded = coded("4", "Verification");
const ACCESS: Coded = coded("6", "Access / Use");
const EXPORT: Coded = coded("10", "Export / Copy to target");

const SEARCH_CRITERIA: Coded = coded("10", "Search Criteria");
const USER_IDENTIFIER: Coded = coded("11", "User Identifier");
const URI: Coded = coded("12", "URI");

/// The codes of the event's object, by what was done and to what. An action that this edition does not
/// know is an access.
pub(super) fn object_codes(event: &Event) -> ObjectCodes {
    let action = Action::parse(&event.action);
    let (kind, role, identifier) = match event.object_type.as_str() {
        _ if action == Some(Action::Query) => (SYSTEM_OBJECT, QUERY, SEARCH_CRITERIA),
        "user" => (PERSON, SECURITY_USER, USER_IDENTIFIER),
        "audit_log" | "destination" | "endpoint" | "platform" | "session" => {
            (SYSTEM_OBJECT, SECURITY_RESOURCE, URI)
        }
        "dataset" | "run" | "generation" | "transfer" => (SYSTEM_OBJECT, JOB, URI),
        _ => (SYSTEM_OBJECT, DOMAIN_RESOURCE, URI),
    };
    ObjectCodes { kind, role, life_cycle: action.map_or(Some(ACCESS), life_cycle), identifier }
}

fn life_cycle(action: Action) -> Option<Coded> {
    match action {
        Action::InstancesCreated
        | Action::OrderCreated
        | Action::ReviewCreated
        | Action::UserCreated => Some(ORIGINATION),
        Action::Import => Some(IMPORT),
        Action::OrderChanged
        | Action::UserChanged
        | Action::RolesChanged
        | Action::NetworkConfigured => Some(AMENDMENT),
        Action::Checkpoint => Some(VERIFICATION),
        Action::Query
        | Action::InstancesAccessed
        | Action::OrderRead
        | Action::ReviewRead
        | Action::UserRead
        | Action::AuditLogUsed => Some(ACCESS),
        Action::Export | Action::InstancesTransferred => Some(EXPORT),
        Action::ApplicationStart
        | Action::ApplicationStop
        | Action::Login
        | Action::Logout
        | Action::SessionRenewed
        | Action::RestrictedFunction
        | Action::SecurityAlert => None,
    }
}

/// The object's identifier as a URI: `urn:x-skiagraph:image:0199…`, without the identifier for a list.
pub(super) fn object_uri(event: &Event) -> String {
    let kind = &event.object_type;
    event.object_id.as_ref().map_or_else(
        || format!("urn:x-skiagraph:{kind}"),
        |id| format!("urn:x-skiagraph:{kind}:{id}"),
    )
}

/// Who acted, where a form wants an identifier: the user's, or else the name that was given.
pub(super) fn actor_identifier(event: &Event) -> &str {
    match (&event.actor_id, event.actor_name.as_str()) {
        (Some(id), _) => id,
        (None, "") => "unknown",
        (None, name) => name,
    }
}

/// Whether the platform itself acted: its actors are `system:serve`, `system:worker` and the like.
pub(super) fn is_platform(event: &Event) -> bool {
    event.actor_id.is_none() && event.actor_name.starts_with("system:")
}

/// Whether data flows from the platform to whoever asks: in such an event the platform is the source
/// (110153) and the client the destination (110152). A query flows the other way, by custom of IHE.
pub(super) fn platform_is_source(event: &Event) -> bool {
    Action::parse(&event.action).is_some_and(|action| action.event_action() == 'R')
}
