//! `GET /uploads`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::page::{Page, PageQuery};
use crate::views::uploads::UploadView;

/// Uploads, the newest first.
#[utoipa::path(
    tag = "uploads",
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<UploadView>), Refusals),
)]
#[get("/uploads")]
pub(super) async fn list(
    access: MlEngineer,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<UploadView>>, ApiError> {
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::new(Action::Query, "upload")).await?;
    let (items, total) = models::uploads::list(records.db(), slice.offset(), slice.limit()).await?;
    let ids: Vec<String> = items.iter().map(|upload| upload.id.clone()).collect();
    let pending = models::radiographs::pending(records.db(), &ids).await?;
    let items = items
        .into_iter()
        .map(|upload| {
            let waiting = pending.get(&upload.id).copied().unwrap_or_default();
            super::view(upload, waiting)
        })
        .collect();
    Ok(web::Json(Page::new(items, total, slice)))
}
