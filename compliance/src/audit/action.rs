//! What can happen, with its codes in DICOM's audit vocabulary (PS3.16 CID 400 and CID 401).

use serde::{Deserialize, Serialize};

/// A code of PS3.16 under the scheme DCM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Code {
    /// Code Value.
    pub value: &'static str,
    /// Code Meaning.
    pub meaning: &'static str,
}

const fn code(value: &'static str, meaning: &'static str) -> Code {
    Code { value, meaning }
}

// CID 400, Audit Event ID.
const APPLICATION_ACTIVITY: Code = code("110100", "Application Activity");
const AUDIT_LOG_USED: Code = code("110101", "Audit Log Used");
const INSTANCES_ACCESSED: Code = code("110103", "DICOM Instances Accessed");
const INSTANCES_TRANSFERRED: Code = code("110104", "DICOM Instances Transferred");
const EXPORT: Code = code("110106", "Export");
const IMPORT: Code = code("110107", "Import");
const ORDER_RECORD: Code = code("110109", "Order Record");
const PROCEDURE_RECORD: Code = code("110111", "Procedure Record");
const QUERY: Code = code("110112", "Query");
const SECURITY_ALERT: Code = code("110113", "Security Alert");
const USER_AUTHENTICATION: Code = code("110114", "User Authentication");

// CID 401, Audit Event Type Code.
const APPLICATION_START: Code = code("110120", "Application Start");
const APPLICATION_STOP: Code = code("110121", "Application Stop");
const LOGIN: Code = code("110122", "Login");
const LOGOUT: Code = code("110123", "Logout");
const NETWORK_CONFIGURATION: Code = code("110128", "Network Configuration");
const RESTRICTED_FUNCTION: Code = code("110132", "Use of Restricted Function");
const ROLES_CHANGED: Code = code("110136", "Security Roles Changed");
const ATTRIBUTES_CHANGED: Code = code("110137", "User Security Attributes Changed");

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The platform began to serve.
    ApplicationStart,
    /// The platform ended.
    ApplicationStop,
    /// Somebody logged in, or tried to.
    Login,
    /// Somebody logged out.
    Logout,
    /// A session was renewed with its refresh token.
    SessionRenewed,
    /// The audit log was read, exported or verified.
    AuditLogUsed,
    /// Records were listed.
    Query,
    /// Pixels or the record of a radiograph or an image were read.
    InstancesAccessed,
    /// Synthetic instances were made.
    InstancesCreated,
    /// Radiographs came in.
    Import,
    /// An object left the platform as a file.
    Export,
    /// An object was sent to an archive.
    InstancesTransferred,
    /// A data set, a training or a generation was ordered.
    OrderCreated,
    /// The record of such an order was read.
    OrderRead,
    /// Such an order was cancelled or its result promoted.
    OrderChanged,
    /// An image was released or rejected.
    ReviewCreated,
    /// The reviews of an image were read.
    ReviewRead,
    /// A user's record was read.
    UserRead,
    /// A user was made.
    UserCreated,
    /// A user's name, password or standing was changed.
    UserChanged,
    /// A user's roles were changed.
    RolesChanged,
    /// Somebody asked for what their roles do not allow.
    RestrictedFunction,
    /// A sign of an attack, for example a refresh token that was used twice.
    SecurityAlert,
    /// Whom images may be sent to was changed.
    NetworkConfigured,
    /// The platform signed the log up to here: see [`super::Signer`].
    Checkpoint,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 25] = [
        Self::ApplicationStart,
        Self::ApplicationStop,
        Self::Login,
        Self::Logout,
        Self::SessionRenewed,
        Self::AuditLogUsed,
        Self::Query,
        Self::InstancesAccessed,
        Self::InstancesCreated,
        Self::Import,
        Self::Export,
        Self::InstancesTransferred,
        Self::OrderCreated,
        Self::OrderRead,
        Self::OrderChanged,
        Self::ReviewCreated,
        Self::ReviewRead,
        Self::UserRead,
        Self::UserCreated,
        Self::UserChanged,
        Self::RolesChanged,
        Self::RestrictedFunction,
        Self::SecurityAlert,
        Self::NetworkConfigured,
        Self::Checkpoint,
    ];

    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ApplicationStart => "application_start",
            Self::ApplicationStop => "application_stop",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::SessionRenewed => "session_renewed",
            Self::AuditLogUsed => "audit_log_used",
            Self::Query => "query",
            Self::InstancesAccessed => "instances_accessed",
            Self::InstancesCreated => "instances_created",
            Self::Import => "import",
            Self::Export => "export",
            Self::InstancesTransferred => "instances_transferred",
            Self::OrderCreated => "order_created",
            Self::OrderRead => "order_read",
            Self::OrderChanged => "order_changed",
            Self::ReviewCreated => "review_created",
            Self::ReviewRead => "review_read",
            Self::UserRead => "user_read",
            Self::UserCreated => "user_created",
            Self::UserChanged => "user_changed",
            Self::RolesChanged => "roles_changed",
            Self::RestrictedFunction => "restricted_function",
            Self::SecurityAlert => "security_alert",
            Self::NetworkConfigured => "network_configured",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }

    /// Event ID, of CID 400.
    pub const fn event_id(self) -> Code {
        match self {
            Self::ApplicationStart | Self::ApplicationStop => APPLICATION_ACTIVITY,
            Self::Login | Self::Logout | Self::SessionRenewed => USER_AUTHENTICATION,
            Self::AuditLogUsed | Self::Checkpoint => AUDIT_LOG_USED,
            Self::Query => QUERY,
            Self::InstancesAccessed | Self::InstancesCreated => INSTANCES_ACCESSED,
            Self::Import => IMPORT,
            Self::Export => EXPORT,
            Self::InstancesTransferred => INSTANCES_TRANSFERRED,
            Self::OrderCreated | Self::OrderRead | Self::OrderChanged => ORDER_RECORD,
            Self::ReviewCreated | Self::ReviewRead => PROCEDURE_RECORD,
            Self::UserRead
            | Self::UserCreated
            | Self::UserChanged
            | Self::RolesChanged
            | Self::RestrictedFunction
            | Self::SecurityAlert
            | Self::NetworkConfigured => SECURITY_ALERT,
        }
    }

    /// Event Type Code, of CID 401, where there is one.
    pub const fn event_type(self) -> Option<Code> {
        match self {
            Self::ApplicationStart => Some(APPLICATION_START),
            Self::ApplicationStop => Some(APPLICATION_STOP),
            Self::Login | Self::SessionRenewed => Some(LOGIN),
            Self::Logout => Some(LOGOUT),
            Self::UserCreated | Self::UserChanged => Some(ATTRIBUTES_CHANGED),
            Self::RolesChanged => Some(ROLES_CHANGED),
            Self::NetworkConfigured => Some(NETWORK_CONFIGURATION),
            Self::RestrictedFunction | Self::UserRead => Some(RESTRICTED_FUNCTION),
            Self::AuditLogUsed
            | Self::Query
            | Self::InstancesAccessed
            | Self::InstancesCreated
            | Self::Import
            | Self::Export
            | Self::InstancesTransferred
            | Self::OrderCreated
            | Self::OrderRead
            | Self::OrderChanged
            | Self::ReviewCreated
            | Self::ReviewRead
            | Self::SecurityAlert
            | Self::Checkpoint => None,
        }
    }

    /// Event Action Code of PS3.15 A.5: Create, Read, Update, Delete or Execute.
    pub const fn event_action(self) -> char {
        match self {
            Self::InstancesCreated
            | Self::Import
            | Self::OrderCreated
            | Self::ReviewCreated
            | Self::UserCreated => 'C',
            Self::InstancesAccessed
            | Self::Export
            | Self::InstancesTransferred
            | Self::OrderRead
            | Self::ReviewRead
            | Self::UserRead
            | Self::AuditLogUsed
            | Self::Checkpoint => 'R',
            Self::OrderChanged
            | Self::UserChanged
            | Self::RolesChanged
            | Self::NetworkConfigured => 'U',
            Self::ApplicationStart
            | Self::ApplicationStop
            | Self::Login
            | Self::Logout
            | Self::SessionRenewed
            | Self::Query
            | Self::RestrictedFunction
            | Self::SecurityAlert => 'E',
        }
    }
}
