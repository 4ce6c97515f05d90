//! `POST /audit/verify`

use actix_web::{post, web};
use skiagraph_compliance::audit::Action;

use crate::audit::{self, Entry};
use crate::auth::Auditor;
use crate::controllers::Refusals;
use crate::database;
use crate::error::ApiError;
use crate::views::audit::VerdictView;

/// Walks the whole log and says whether every row is as it was written, or which is not.
#[utoipa::path(
    tag = "audit",
    responses((status = 200, description = "The verdict", body = VerdictView), Refusals),
)]
#[post("/audit/verify")]
pub(super) async fn verify(access: Auditor) -> Result<web::Json<VerdictView>, ApiError> {
    // The snapshot first: a log whose end is broken takes no further event, and must still be told
    // to be broken.
    let ledger = &access.state().ledger;
    let snapshot = database::snapshot(ledger.peek().db()).await?;
    let verdict = audit::verify(&snapshot).await?;
    drop(snapshot);
    let entry = Entry::new(Action::AuditLogUsed, "audit_log")
        .detail("use", "verify")
        .detail("intact", verdict.intact());
    match ledger.record(access.actor(), entry).await {
        Err(error) if verdict.intact() => return Err(error),
        Err(error) => tracing::error!(?error, "the verification could not be written into the log"),
        Ok(()) => {}
    }
    if let Some(found) = verdict.first_broken {
        tracing::error!(
            sequence = found.sequence,
            cause = found.cause.words(),
            "the audit log is broken"
        );
    }
    Ok(web::Json((&verdict).into()))
}
