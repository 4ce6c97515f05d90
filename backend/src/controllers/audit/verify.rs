//! `POST /audit/verify`

use actix_web::{post, web};

use crate::auth::Auditor;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::views::audit::VerdictView;

/// Walks the whole log and says whether every row is as it was written, or which is not, and how far
/// the signatures of its checkpoints reach.
#[utoipa::path(
    tag = "audit",
    responses((status = 200, description = "The verdict", body = VerdictView), Refusals),
)]
#[post("/audit/verify")]
pub(super) async fn verify(access: Auditor) -> Result<web::Json<VerdictView>, ApiError> {
    let verdict = access.state().ledger.verify(access.actor()).await?;
    let key = access.state().ledger.public_key().fingerprint();
    Ok(web::Json(VerdictView::new(verdict, key)))
}
