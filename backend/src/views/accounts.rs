//! Users and sessions on the wire, and what names and passwords may be.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skiagraph_compliance::role::Role;
use utoipa::ToSchema;

use super::shapes;
use crate::auth::CurrentUser;
use crate::error::{ApiError, FieldError};
use crate::models::users::User;

/// Characters that a password has at least (NIST SP 800-63B-4, 3.1.1.2, with a margin: eight there).
const PASSWORD_LEAST: usize = 12;
/// Bytes that it has at most: the hash takes time.
const PASSWORD_MOST: usize = 1024;
/// Characters of a name to log in with.
const USERNAME_MOST: usize = 64;
/// Characters of a name to show.
const DISPLAY_NAME_MOST: usize = 120;

/// A user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserView {
    /// Identifier.
    pub id: String,
    /// Name to log in with.
    pub username: String,
    /// Name to show.
    pub display_name: String,
    /// What the user may be.
    #[schema(value_type = Vec<shapes::Role>)]
    pub roles: Vec<Role>,
    /// Whether the password is for one time and must be changed.
    pub must_change_password: bool,
    /// Whether the user may not log in.
    pub disabled: bool,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.row.id,
            username: user.row.username,
            display_name: user.row.display_name,
            roles: user.roles,
            must_change_password: user.row.must_change_password,
            disabled: user.row.disabled,
            created_at: user.row.created_at,
        }
    }
}

impl From<&CurrentUser> for UserView {
    fn from(user: &CurrentUser) -> Self {
        Self {
            id: user.id.clone(),
            username: user.username.clone(),
            display_name: user.display_name.clone(),
            roles: user.roles.clone(),
            must_change_password: user.must_change_password,
            // A disabled user has no session to ask with.
            disabled: false,
            created_at: user.created_at,
        }
    }
}

/// A user whose password was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewPasswordView {
    /// The user.
    pub user: UserView,
    /// To be told to them; it is shown this once, and must be changed at the first login.
    pub one_time_password: String,
}

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Name to log in with.
    pub username: String,
    /// The password.
    #[schema(format = Password)]
    pub password: String,
}

impl LoginRequest {
    /// Whether it can be tried at all.
    pub fn check(&self) -> Result<(), ApiError> {
        let mut errors = Vec::new();
        if self.username.trim().is_empty() || self.username.chars().count() > USERNAME_MOST {
            let cause = format!("must have 1 to {USERNAME_MOST} characters");
            errors.push(FieldError::new("username", cause));
        }
        if self.password.is_empty() || self.password.len() > PASSWORD_MOST {
            let cause = format!("must have 1 to {PASSWORD_MOST} bytes");
            errors.push(FieldError::new("password", cause));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
    }
}

/// A refresh token, for programs; pages send it as a cookie.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The last refresh token that was given.
    pub refresh_token: Option<String>,
}

/// The old and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The one that is good now.
    #[schema(format = Password)]
    pub current_password: String,
    /// The one that is to be: at least 12 characters, not the name.
    #[schema(format = Password)]
    pub new_password: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// For the `Authorization` header.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds that the access token is good for.
    pub expires_in: u32,
    /// For the next renewal; works once. Also in the cookie `skiagraph_refresh`.
    pub refresh_token: String,
    /// Whose session it is.
    pub user: UserView,
}

/// A user to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Name to log in with: 2 to 64 of `a-z`, `0-9`, `.`, `-`, `_`, a letter first.
    pub username: String,
    /// Name to show.
    pub display_name: String,
    /// What the user may be.
    #[schema(value_type = Vec<shapes::Role>)]
    pub roles: Vec<Role>,
}

/// What is to be changed; nothing of what is left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// Name to show.
    pub display_name: Option<String>,
    /// What the user may be.
    #[schema(value_type = Option<Vec<shapes::Role>>)]
    pub roles: Option<Vec<Role>>,
    /// Whether the user may not log in; ends their sessions.
    pub disabled: Option<bool>,
}

impl CreateUser {
    /// The same with its names in their stored form, or everything that is wrong.
    pub fn check(self) -> Result<Self, ApiError> {
        let username = canonical_username(&self.username);
        let display_name = self.display_name.trim().to_owned();
        let mut errors = Vec::new();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if !(2..=USERNAME_MOST).contains(&username.len())
            || !username.chars().all(allowed)
            || !username.starts_with(|c: char| c.is_ascii_lowercase())
        {
            errors.push(FieldError::new(
                "username",
                "must be 2 to 64 of the letters a to z, digits, '.', '-' and '_', a letter first",
            ));
        }
        errors.extend(display_name_fault(&display_name));
        errors.extend(roles_fault(&self.roles));
        if errors.is_empty() {
            Ok(Self { username, display_name, roles: self.roles })
        } else {
            Err(errors.into())
        }
    }
}

impl ChangeUser {
    /// The same with its name in its stored form, or everything that is wrong.
    pub fn check(self) -> Result<Self, ApiError> {
        let display_name = self.display_name.map(|name| name.trim().to_owned());
        let mut errors = Vec::new();
        errors.extend(display_name.as_deref().and_then(display_name_fault));
        errors.extend(self.roles.as_deref().and_then(roles_fault));
        if errors.is_empty() { Ok(Self { display_name, ..self }) } else { Err(errors.into()) }
    }
}

/// The form in which a name to log in with is kept and looked up.
pub fn canonical_username(username: &str) -> String {
    username.trim().to_lowercase()
}

/// Whether a password may be somebody's.
pub fn check_password(field: &str, password: &str, username: &str) -> Result<(), ApiError> {
    let characters = password.chars().take(PASSWORD_LEAST).count();
    if characters < PASSWORD_LEAST {
        return Err(ApiError::invalid(
            field,
            format!("must have at least {PASSWORD_LEAST} characters"),
        ));
    }
    if password.len() > PASSWORD_MOST {
        return Err(ApiError::invalid(field, format!("may have at most {PASSWORD_MOST} bytes")));
    }
    if password.to_lowercase().contains(username) {
        return Err(ApiError::invalid(field, "must not hold your name"));
    }
    let first = password.chars().next();
    if password.chars().all(|letter| Some(letter) == first) {
        return Err(ApiError::invalid(field, "must not be one letter again and again"));
    }
    Ok(())
}

fn display_name_fault(name: &str) -> Option<FieldError> {
    let fits = (1..=DISPLAY_NAME_MOST).contains(&name.chars().count());
    (!fits || name.chars().any(char::is_control)).then(|| {
        FieldError::new("display_name", format!("must have 1 to {DISPLAY_NAME_MOST} characters"))
    })
}

fn roles_fault(roles: &[Role]) -> Option<FieldError> {
    roles.is_empty().then(|| FieldError::new("roles", "must name at least one role"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_fault_of_a_new_user_is_named_at_once() {
        let user = CreateUser {
            username: "1 bad".to_owned(),
            display_name: " ".to_owned(),
            roles: Vec::new(),
        };
        let Err(ApiError::Invalid(errors)) = user.check() else { unreachable!() };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["username", "display_name", "roles"]);
    }

    #[test]
    fn a_password_is_long_and_not_the_name() {
        assert!(check_password("new_password", "a shadow drawing", "alice").is_ok());
        for bad in ["short", "aaaaaaaaaaaaaaaa", "Alice in the night", &"x1".repeat(600)] {
            assert!(check_password("new_password", bad, "alice").is_err(), "{bad}");
        }
    }
}
