//! `GET /audit/export`

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpResponse, get};
use skiagraph_compliance::audit::Action;

use crate::audit::{Entry, csv};
use crate::auth::Auditor;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::views::audit::{AuditQuery, ExportQuery};

/// Events as a file of comma-separated values, in the order of the log.
///
/// The first line names the columns. A cell that a spreadsheet would take for a formula has an
/// apostrophe before it.
#[utoipa::path(
    tag = "audit",
    params(ExportQuery, AuditQuery),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/csv"),
        Refusals,
    ),
)]
#[get("/audit/export")]
pub(super) async fn export(
    access: Auditor,
    form: Query<ExportQuery>,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, ApiError> {
    form.read()?.check()?;
    let filter = query.read()?.filter()?;
    let entry = Entry::new(Action::AuditLogUsed, "audit_log").detail("use", "export");
    let records = access.read(entry).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"skiagraph-audit.csv\""))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(csv(records.db().clone(), filter)))
}
