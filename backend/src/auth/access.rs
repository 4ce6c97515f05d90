//! The guard: an extractor that finds out who asks and whether they may.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use chrono::{DateTime, Utc};
use futures::future::LocalBoxFuture;
use skiagraph_compliance::audit::Action;
use skiagraph_compliance::role::Role;

use super::{Permit, Records};
use crate::audit::{Actor, Change, Entry, role_words};
use crate::error::ApiError;
use crate::models;
use crate::state::AppState;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentUser {
    /// Identifier.
    pub id: String,
    /// Name to log in with.
    pub username: String,
    /// Name to show.
    pub display_name: String,
    /// What the user may be, as of this request.
    pub roles: Vec<Role>,
    /// Whether the password is for one time.
    pub must_change_password: bool,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// The session that the access token belongs to.
    pub session: String,
}

impl CurrentUser {
    /// Whether the user has the role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// A user who may do what `P` says: the only way from a handler to the records.
pub struct Access<P> {
    user: CurrentUser,
    actor: Actor,
    state: web::Data<AppState>,
    permit: PhantomData<P>,
}

impl<P> std::fmt::Debug for Access<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("user", &self.user.id).finish_non_exhaustive()
    }
}

impl<P: Permit> Access<P> {
    /// Who asks.
    pub fn user(&self) -> &CurrentUser {
        &self.user
    }

    /// The same as the log has it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What the process shares.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Writes the event, then opens the records for reading.
    pub async fn read(&self, entry: Entry) -> Result<Records, ApiError> {
        self.state.ledger.read(&self.actor, entry).await
    }

    /// Begins a change, whose commit writes the event.
    pub async fn change(&self) -> Result<Change, ApiError> {
        self.state.ledger.change(self.actor.clone()).await
    }

    async fn check(request: HttpRequest) -> Result<Self, ApiError> {
        let state = request
            .app_data::<web::Data<AppState>>()
            .ok_or_else(|| ApiError::Internal("the application has no state".to_owned()))?
            .clone();
        let user = authenticate(&state, &request).await?;
        let actor = Actor {
            id: Some(user.id.clone()),
            name: user.username.clone(),
            roles: role_words(&user.roles),
            source_address: source_address(&request, state.config.trust_proxy),
        };
        if user.must_change_password && !P::BEFORE_PASSWORD_CHANGE {
            return Err(ApiError::PasswordChangeRequired);
        }
        if !P::ROLES.is_empty() && !P::ROLES.iter().any(|role| user.has(*role)) {
            // The pattern, never the path: identifiers belong to `object_id` alone.
            let pattern = request.match_pattern().unwrap_or_default();
            let entry = Entry::new(Action::RestrictedFunction, "endpoint")
                .refused()
                .detail("method", request.method().as_str())
                .detail("endpoint", pattern);
            state.ledger.record(&actor, entry).await?;
            return Err(ApiError::Forbidden("none of your roles allows it"));
        }
        Ok(Self { user, actor, state, permit: PhantomData })
    }
}

impl<P: Permit> FromRequest for Access<P> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::check(request.clone()))
    }
}

async fn authenticate(state: &AppState, request: &HttpRequest) -> Result<CurrentUser, ApiError> {
    const NOT_ALIVE: ApiError = ApiError::Unauthorized("the session has ended; log in again");
    let header = request.headers().get(AUTHORIZATION);
    let header = header.ok_or(ApiError::Unauthorized("there is no access token"))?;
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or(ApiError::Unauthorized("the authorization header holds no bearer token"))?;
    let claims = state.tokens.read(token).map_err(ApiError::Unauthorized)?;
    let db = state.ledger.unlogged();
    // The token only says who claims to be there; whether they still may, the database says.
    if !models::sessions::is_alive(db, &claims.sub, &claims.sid, Utc::now()).await? {
        return Err(NOT_ALIVE);
    }
    let user = models::users::get(db, &claims.sub).await?;
    let user = user.filter(|user| !user.row.disabled).ok_or(NOT_ALIVE)?;
    Ok(CurrentUser {
        id: user.row.id,
        username: user.row.username,
        display_name: user.row.display_name,
        roles: user.roles,
        must_change_password: user.row.must_change_password,
        created_at: user.row.created_at,
        session: claims.sid,
    })
}

/// The client's network address: the peer's, or what a proxy of one's own says.
pub fn source_address(request: &HttpRequest, trust_proxy: bool) -> Option<String> {
    let peer = || request.peer_addr().map(|address| address.ip().to_string());
    if trust_proxy {
        request.connection_info().realip_remote_addr().map(ToOwned::to_owned).or_else(peer)
    } else {
        peer()
    }
}
