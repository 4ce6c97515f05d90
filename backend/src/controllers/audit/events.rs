//! `GET /audit/events`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::Auditor;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::audit::{AuditEventView, AuditQuery};
use crate::views::page::{Page, PageQuery};

/// Events, the newest first.
#[utoipa::path(
    tag = "audit",
    params(AuditQuery, PageQuery),
    responses((status = 200, description = "A page", body = Page<AuditEventView>), Refusals),
)]
#[get("/audit/events")]
pub(super) async fn events(
    access: Auditor,
    query: Query<AuditQuery>,
    page: Query<PageQuery>,
) -> Result<web::Json<Page<AuditEventView>>, ApiError> {
    let (filter, slice) = (query.read()?.filter()?, page.read()?.page()?);
    let entry = Entry::new(Action::AuditLogUsed, "audit_log").detail("use", "read");
    let records = access.read(entry).await?;
    let (rows, total) =
        models::audit::list(records.db(), &filter, slice.offset(), slice.limit()).await?;
    Ok(web::Json(Page::new(rows.into_iter().map(Into::into).collect(), total, slice)))
}
