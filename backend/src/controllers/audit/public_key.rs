//! `GET /audit/public-key`

use actix_web::{HttpResponse, get};

use crate::auth::Auditor;
use crate::controllers::Refusals;
use crate::error::ApiError;

/// The key that the signatures of exports are held against (Ed25519, PEM).
///
/// Whoever verifies an export should have it by another way than the export itself.
#[utoipa::path(
    tag = "audit",
    responses(
        (status = 200, description = "The key", body = String, content_type = "application/x-pem-file"),
        Refusals,
    ),
)]
#[get("/audit/public-key")]
pub(super) async fn public_key(access: Auditor) -> Result<HttpResponse, ApiError> {
    let pem = access.state().ledger.public_key().to_pem()?;
    Ok(HttpResponse::Ok().content_type("application/x-pem-file").body(pem))
}
