//! Sessions: login, renewal, logout, change of password.

use chrono::{Duration, Utc};
use sea_orm::ConnectionTrait;
use skiagraph_compliance::audit::Action;
use uuid::Uuid;

use super::token::{new_refresh_token, refresh_hash};
use super::{SignedIn, hash_password, verify_password};
use crate::audit::{Actor, Entry, role_words};
use crate::error::ApiError;
use crate::models;
use crate::models::users::{Changes, User};
use crate::state::AppState;
use crate::views::accounts;

const WRONG: ApiError = ApiError::Unauthorized("the name or the password is wrong");
const ENDED: ApiError = ApiError::Unauthorized("the session has ended; log in again");

/// What a login or a renewal gives.
#[derive(Debug)]
pub struct Session {
    /// Whose it is.
    pub user: User,
    /// For the `Authorization` header.
    pub access_token: String,
    /// For the next renewal; each works once.
    pub refresh_token: String,
}

/// Begins a session.
pub async fn login(
    state: &AppState,
    source: Option<String>,
    username: &str,
    password: String,
) -> Result<Session, ApiError> {
    let username = accounts::canonical_username(username);
    state.throttle.check(source.as_deref(), &username)?;
    let known = models::users::by_name(state.ledger.unlogged(), &username).await?;
    let hash = known.as_ref().map(|user| user.row.password_hash.clone());
    let right = verify_password(password, hash).await?;
    let user = match known {
        Some(user) if right && !user.row.disabled => user,
        known => {
            // An unknown name may be a password in the wrong field: it is not written down.
            let (actor, entry) = match &known {
                Some(user) => (
                    Actor::claimed(&user.row.username, source),
                    Entry::of(Action::Login, "user", &user.row.id)
                        .detail("disabled", user.row.disabled),
                ),
                None => (Actor::claimed("unknown", source), Entry::new(Action::Login, "user")),
            };
            state.ledger.record(&actor, entry.failed()).await?;
            return Err(WRONG);
        }
    };
    let family = Uuid::now_v7().to_string();
    let change = state.ledger.change(actor_of(&user, source)).await?;
    let refresh_token = add_token(state, change.db(), &user, &family).await?;
    change.commit(Entry::of(Action::Login, "session", &family)).await?;
    session(state, user, &family, refresh_token)
}

/// Renews a session. A refresh token works once: one that comes back was copied, and the whole
/// family ends (RFC 9700, section 4.14.2).
pub async fn refresh(
    state: &AppState,
    source: Option<String>,
    refresh_token: &str,
) -> Result<Session, ApiError> {
    let hash = refresh_hash(refresh_token);
    let now = Utc::now();
    // Read and spent in one writing transaction: of two at once, the second sees the first.
    let change = state.ledger.change(Actor::claimed("unknown", source.clone())).await?;
    let token = models::sessions::by_hash(change.db(), &hash).await?;
    let token = token.ok_or(ApiError::Unauthorized("the refresh token is not ours"))?;
    if token.revoked_at.is_some() || token.expires_at <= now {
        return Err(ENDED);
    }
    let user = models::users::get(change.db(), &token.user_id).await?;
    let user = user.filter(|user| !user.row.disabled).ok_or(ENDED)?;
    let change = change.by(actor_of(&user, source));
    if !models::sessions::spend(change.db(), &token.id, now).await? {
        models::sessions::revoke_family(change.db(), &token.family, now).await?;
        let entry = Entry::of(Action::SecurityAlert, "session", &token.family)
            .refused()
            .detail("cause", "a refresh token was used twice; the session was ended");
        change.commit(entry).await?;
        return Err(ApiError::Unauthorized(
            "the refresh token was used before; the session was ended",
        ));
    }
    let refresh_token = add_token(state, change.db(), &user, &token.family).await?;
    change.commit(Entry::of(Action::SessionRenewed, "session", &token.family)).await?;
    session(state, user, &token.family, refresh_token)
}

/// Ends the session.
pub async fn logout(access: &SignedIn) -> Result<(), ApiError> {
    let session = &access.user().session;
    let change = access.change().await?;
    models::sessions::revoke_family(change.db(), session, Utc::now()).await?;
    change.commit(Entry::of(Action::Logout, "session", session)).await
}

/// Changes the user's own password and ends all their sessions.
pub async fn change_password(
    access: &SignedIn,
    current: String,
    new: String,
) -> Result<(), ApiError> {
    let user = access.user();
    access.state().throttle.check(access.actor().source_address.as_deref(), &user.username)?;
    accounts::check_password("new_password", &new, &user.username)?;
    let row = models::users::get(access.state().ledger.unlogged(), &user.id).await?;
    let row = row.ok_or(ENDED)?.row;
    if !verify_password(current.clone(), Some(row.password_hash)).await? {
        let entry =
            Entry::of(Action::UserChanged, "user", &user.id).failed().detail("changed", "password");
        access.state().ledger.record(access.actor(), entry).await?;
        return Err(ApiError::invalid("current_password", "is not your password"));
    }
    if current == new {
        return Err(ApiError::invalid("new_password", "must differ from the current one"));
    }
    let hash = hash_password(new).await?;
    let change = access.change().await?;
    let changes = Changes { password: Some((hash, false)), ..Changes::default() };
    models::users::change(change.db(), &user.id, changes).await?;
    models::sessions::revoke_user(change.db(), &user.id, Utc::now()).await?;
    change
        .commit(Entry::of(Action::UserChanged, "user", &user.id).detail("changed", "password"))
        .await
}

fn actor_of(user: &User, source: Option<String>) -> Actor {
    Actor {
        id: Some(user.row.id.clone()),
        name: user.row.username.clone(),
        roles: role_words(&user.roles),
        source_address: source,
    }
}

async fn add_token(
    state: &AppState,
    db: &impl ConnectionTrait,
    user: &User,
    family: &str,
) -> Result<String, ApiError> {
    let token = new_refresh_token()?;
    let expires = Utc::now() + Duration::days(i64::from(state.config.session_days));
    models::sessions::add(db, &user.row.id, family, &refresh_hash(&token), expires).await?;
    Ok(token)
}

fn session(
    state: &AppState,
    user: User,
    family: &str,
    refresh_token: String,
) -> Result<Session, ApiError> {
    let access_token = state.tokens.issue(&user.row.id, family)?;
    Ok(Session { user, access_token, refresh_token })
}
