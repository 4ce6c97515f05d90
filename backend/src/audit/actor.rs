//! Who acted, as the log has it.

use skiagraph_compliance::role::Role;

/// Who acted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// The user's identifier, where there is a user.
    pub id: Option<String>,
    /// The name that was given.
    pub name: String,
    /// The user's roles, joined by commas.
    pub roles: String,
    /// The client's network address.
    pub source_address: Option<String>,
}

impl Actor {
    /// The platform itself: a worker, the command line.
    pub fn system(part: &str) -> Self {
        Self { name: format!("system:{part}"), ..Self::default() }
    }

    /// Somebody who gave a name and is not known by it (yet).
    pub fn claimed(name: &str, source_address: Option<String>) -> Self {
        Self { name: name.to_owned(), source_address, ..Self::default() }
    }
}

/// Roles as a column of the log.
pub(crate) fn role_words(roles: &[Role]) -> String {
    roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(",")
}
