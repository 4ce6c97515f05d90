//! `GET /runs`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::page::{Page, PageQuery};
use crate::views::runs::RunView;

/// Runs, the newest first.
#[utoipa::path(
    tag = "runs",
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<RunView>), Refusals),
)]
#[get("/runs")]
pub(super) async fn list(
    access: MlEngineer,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<RunView>>, ApiError> {
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::new(Action::Query, "run")).await?;
    let (items, total) = models::runs::list(records.db(), slice.offset(), slice.limit()).await?;
    let items = items.into_iter().map(super::view).collect::<Result<_, _>>()?;
    Ok(web::Json(Page::new(items, total, slice)))
}
