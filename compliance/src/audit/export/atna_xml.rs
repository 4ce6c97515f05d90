//! The log as audit messages of DICOM PS3.15 A.5, as IHE ATNA sends them.
//!
//! A message has no namespace and is a document of its own; a file of many needs an element around
//! them, which has ours. Within it every `AuditMessage` is valid by the schema of A.5.1.1 (RELAX NG).
//!
//! The schema spells codes in two ways: `code` and `displayName` up to the edition of 2011, taken over
//! from RFC 3881; `csd-code` and `originalText` since. Receivers of each kind are in use.
//!
//! What A.5.3 asks of single messages and the log does not hold: the patient and the study of *DICOM
//! Instances Accessed*, *Import*, *Export* and *Order Record*. The log holds no patient by intent, so
//! the object is the platform's own record.

use std::fmt::{self, Write};

use quick_xml::escape::escape;

use super::super::{Action, Event, Outcome};
use super::codes::{
    Coded, actor_identifier, is_platform, object_codes, object_uri, platform_is_source,
};
use super::text::{Scanned, clean, decode_row, encode, encode_row};
use super::{ROW, Source};
use crate::role::Role;

/// How codes are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `csd-code`, `originalText`: PS3.15 since 2012.
    Current,
    /// `code`, `displayName`: PS3.15 up to 2011, and RFC 3881.
    Early,
}

impl Spelling {
    const fn attributes(self) -> (&'static str, &'static str) {
        match self {
            Self::Current => ("csd-code", "originalText"),
            Self::Early => ("code", "displayName"),
        }
    }

    /// Namespace of the element around the messages.
    pub(super) const fn namespace(self) -> &'static str {
        match self {
            Self::Current => "urn:x-skiagraph:audit-log:1:csd-code",
            Self::Early => "urn:x-skiagraph:audit-log:1:code",
        }
    }
}

const END: &str = "</log:AuditLog>";

/// The declaration and the beginning of the element around the messages, in one line.
fn beginning(spelling: Spelling) -> String {
    let namespace = spelling.namespace();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><log:AuditLog xmlns:log=\"{namespace}\">")
}

pub(super) fn begin(out: &mut impl Write, spelling: Spelling) -> fmt::Result {
    writeln!(out, "{}", beginning(spelling))
}

pub(super) fn end(out: &mut impl Write) -> fmt::Result {
    writeln!(out, "{END}")
}

/// The line of an event, with its line end.
pub(super) fn event(
    out: &mut impl Write,
    event: &Event,
    source: &Source,
    spelling: Spelling,
) -> fmt::Result {
    let mut message = Message { out, spelling };
    message.open("AuditMessage", &[])?;
    message.identification(event)?;
    message.actor(event)?;
    if !is_platform(event) {
        message.platform(event, source)?;
    }
    message.source(source)?;
    message.object(event)?;
    message.close("AuditMessage")?;
    writeln!(message.out)
}

/// What a line is.
pub(super) fn scan(line: &str, spelling: Spelling) -> Scanned {
    if line == beginning(spelling) || line == END {
        return Scanned::Frame;
    }
    let marked = format!("<ParticipantObjectDetail type=\"{ROW}\" value=\"");
    let row = || {
        let (_, after) = line.split_once(&marked)?;
        let (value, _) = after.split_once('"')?;
        decode_row(value)
    };
    row().map_or(Scanned::Unreadable, |row| Scanned::Row(Box::new(row)))
}

/// A coded value: code, name of its system, meaning.
type Code<'a> = (&'a str, &'a str, &'a str);

struct Message<'a, W> {
    out: &'a mut W,
    spelling: Spelling,
}

impl<W: Write> Message<'_, W> {
    /// EventIdentification.
    fn identification(&mut self, event: &Event) -> fmt::Result {
        let action = Action::parse(&event.action);
        let outcome = Outcome::parse(&event.outcome).map_or("12", |outcome| match outcome {
            Outcome::Success => "0",
            Outcome::Refused => "4",
            Outcome::Failure => "8",
        });
        let mut attributes = Vec::new();
        let code = action.map(|action| action.event_action().to_string());
        if let Some(code) = &code {
            attributes.push(("EventActionCode", code.as_str()));
        }
        attributes.push(("EventDateTime", &event.recorded_at));
        attributes.push(("EventOutcomeIndicator", outcome));
        self.open("EventIdentification", &attributes)?;
        match action {
            Some(action) => {
                let id = action.event_id();
                self.code("EventID", (id.value, "DCM", id.meaning))?;
                if let Some(kind) = action.event_type() {
                    self.code("EventTypeCode", (kind.value, "DCM", kind.meaning))?;
                }
            }
            None => self.code("EventID", (&event.action, "Skiagraph", &event.action))?,
        }
        self.close("EventIdentification")
    }

    /// ActiveParticipant: who acted.
    fn actor(&mut self, event: &Event) -> fmt::Result {
        let itself = is_platform(event);
        let mut attributes = vec![("UserID", actor_identifier(event))];
        if !event.actor_name.is_empty() {
            attributes.push(("UserName", &event.actor_name));
        }
        attributes.push(("UserIsRequestor", if itself { "false" } else { "true" }));
        if let Some(address) = &event.source_address {
            attributes.push(("NetworkAccessPointID", address));
            attributes.push(("NetworkAccessPointTypeCode", "2"));
        }
        let roles: Vec<_> = event.actor_roles.split_terminator(',').collect();
        if roles.is_empty() && !itself {
            return self.empty("ActiveParticipant", &attributes);
        }
        self.open("ActiveParticipant", &attributes)?;
        if itself {
            self.code("RoleIDCode", ("110150", "DCM", "Application"))?;
        }
        for role in roles {
            self.code("RoleIDCode", (role, "Skiagraph", role_meaning(role)))?;
        }
        self.close("ActiveParticipant")
    }

    /// ActiveParticipant: the platform, which did what was asked.
    fn platform(&mut self, event: &Event, source: &Source) -> fmt::Result {
        let attributes = [("UserID", source.id()), ("UserIsRequestor", "false")];
        self.open("ActiveParticipant", &attributes)?;
        let role = if platform_is_source(event) {
            ("110153", "DCM", "Source Role ID")
        } else {
            ("110152", "DCM", "Destination Role ID")
        };
        self.code("RoleIDCode", role)?;
        self.close("ActiveParticipant")
    }

    /// AuditSourceIdentification: an application server's process (A.5.1.2.1).
    fn source(&mut self, source: &Source) -> fmt::Result {
        let (code, _) = self.spelling.attributes();
        self.open("AuditSourceIdentification", &[("AuditSourceID", source.id())])?;
        self.empty("AuditSourceTypeCode", &[(code, "4")])?;
        self.close("AuditSourceIdentification")
    }

    /// ParticipantObjectIdentification: what it was done to, and the row as a whole.
    fn object(&mut self, event: &Event) -> fmt::Result {
        let codes = object_codes(event);
        let identifier = match (&event.object_id, codes.identifier.meaning) {
            (Some(id), "User Identifier") => id.clone(),
            (Some(_) | None, _) => object_uri(event),
        };
        let mut attributes = vec![
            ("ParticipantObjectID", identifier.as_str()),
            ("ParticipantObjectTypeCode", codes.kind.value),
            ("ParticipantObjectTypeCodeRole", codes.role.value),
        ];
        if let Some(Coded { value, .. }) = codes.life_cycle {
            attributes.push(("ParticipantObjectDataLifeCycle", value));
        }
        self.open("ParticipantObjectIdentification", &attributes)?;
        let Coded { value, meaning } = codes.identifier;
        self.code("ParticipantObjectIDTypeCode", (value, "RFC-3881", meaning))?;
        if event.action == Action::Query.word() {
            self.text("ParticipantObjectQuery", &encode(&event.detail))?;
        } else if event.object_type == "audit_log" {
            // A.5.3.2 names it so.
            self.text("ParticipantObjectName", "Security Audit Log")?;
        } else {
            self.text("ParticipantObjectName", &event.object_type)?;
        }
        let row = encode_row(event);
        self.empty("ParticipantObjectDetail", &[("type", ROW), ("value", &row)])?;
        self.close("ParticipantObjectIdentification")
    }

    fn code(&mut self, element: &str, (code, system, meaning): Code<'_>) -> fmt::Result {
        let (value, text) = self.spelling.attributes();
        self.empty(element, &[(value, code), ("codeSystemName", system), (text, meaning)])
    }

    fn text(&mut self, element: &str, text: &str) -> fmt::Result {
        self.open(element, &[])?;
        self.out.write_str(&escape(clean(text)))?;
        self.close(element)
    }

    fn open(&mut self, element: &str, attributes: &[(&str, &str)]) -> fmt::Result {
        self.start(element, attributes)?;
        self.out.write_str(">")
    }

    fn empty(&mut self, element: &str, attributes: &[(&str, &str)]) -> fmt::Result {
        self.start(element, attributes)?;
        self.out.write_str("/>")
    }

    fn start(&mut self, element: &str, attributes: &[(&str, &str)]) -> fmt::Result {
        write!(self.out, "<{element}")?;
        for (name, value) in attributes {
            write!(self.out, " {name}=\"{}\"", escape(clean(value)))?;
        }
        Ok(())
    }

    fn close(&mut self, element: &str) -> fmt::Result {
        write!(self.out, "</{element}>")
    }
}

/// A role in words; the word itself where there is no such role.
fn role_meaning(word: &str) -> &str {
    match Role::parse(word) {
        Some(Role::Clinician) => "Clinician",
        Some(Role::MlEngineer) => "Machine learning engineer",
        Some(Role::Auditor) => "Auditor",
        Some(Role::Admin) => "Administrator",
        None => word,
    }
}
