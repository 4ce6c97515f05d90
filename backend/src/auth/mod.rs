//! Who asks, what they may, and the only way to the records.
//!
//! ```text
//! login → password → session (refresh token, rotating) → access token (15 minutes)
//! request → Access<Permit>: token → session → user → roles ─→ read(entry) → Records { db }
//!                                                          └→ change() → Change { db } → commit(entry)
//! ```
//!
//! Permission is a type: a handler that does not name a guard among its arguments has no database,
//! and a guard gives the database away only for an audit entry.

mod access;
mod ledger;
mod password;
mod permit;
mod session;
mod throttle;
mod token;

pub use access::{Access, CurrentUser, source_address};
pub use ledger::{Ledger, Records};
pub use password::{PasswordError, hash_password, one_time_password, verify_password};
pub use permit::{
    Admin, AnyUser, Auditor, Clinician, ClinicianOrAuditor, ClinicianOrMlEngineer, MakerOrAdmin,
    MlEngineer, Permit, SignedIn,
};
pub use session::{Session, change_password, login, logout, refresh};
pub use throttle::Throttle;
pub use token::{Claims, TokenError, Tokens};
