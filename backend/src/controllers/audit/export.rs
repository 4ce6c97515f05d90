//! `GET /audit/export`

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpResponse, get};

use crate::auth::Auditor;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::views::audit::{AuditQuery, ExportQuery};

/// Events as a file, in the order of the log.
///
/// `csv`: comma-separated values with a line of column names; a cell that a spreadsheet would take for
/// a formula has an apostrophe before it. `jsonl`: a JSON object a line. `atna-xml`: audit messages of
/// DICOM PS3.15 A.5 with `csd-code` and `originalText`; `atna-xml-early`: with `code` and
/// `displayName`, as before 2012. `balp`: FHIR R4 AuditEvents by IHE BALP, one a line.
///
/// The last row is a checkpoint that signs the export: `skiagraph audit verify --export` holds any of
/// the forms against the public key, without the database.
#[utoipa::path(
    tag = "audit",
    params(ExportQuery, AuditQuery),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/csv"),
            (String = "application/x-ndjson"),
            (String = "application/xml"),
            (String = "application/fhir+ndjson"),
        )),
        Refusals,
    ),
)]
#[get("/audit/export")]
pub(super) async fn export(
    access: Auditor,
    form: Query<ExportQuery>,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, ApiError> {
    let (form, filter) = (form.read()?.form()?, query.read()?.filter()?);
    let file = access.state().ledger.export(access.actor(), form, filter).await?;
    let name = format!("attachment; filename=\"skiagraph-audit.{}\"", form.extension());
    Ok(HttpResponse::Ok()
        .content_type(form.media_type())
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(file))
}
