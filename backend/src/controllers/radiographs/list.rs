//! `GET /radiographs`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::page::{Page, PageQuery};
use crate::views::uploads::{RadiographFilter, RadiographView};

/// Radiographs in the order of their arrival.
#[utoipa::path(
    tag = "radiographs",
    params(PageQuery, RadiographFilter),
    responses((status = 200, description = "A page of them", body = Page<RadiographView>), Refusals),
)]
#[get("/radiographs")]
pub(super) async fn list(
    access: MlEngineer,
    paging: Query<PageQuery>,
    filter: Query<RadiographFilter>,
) -> Result<web::Json<Page<RadiographView>>, ApiError> {
    let (slice, filter) = (paging.read()?.page()?, filter.read()?);
    let records = access.read(Entry::new(Action::Query, "radiograph")).await?;
    let (items, total) = models::radiographs::list(
        records.db(),
        filter.upload_id.as_deref(),
        slice.offset(),
        slice.limit(),
    )
    .await?;
    let items = items.into_iter().map(super::view).collect();
    Ok(web::Json(Page::new(items, total, slice)))
}
