//! `GET /radiographs`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::models::check_state::CheckState;
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
    let check_state = filter.check_state.as_deref();
    if check_state.is_some_and(|word| CheckState::parse(word).is_none()) {
        let cause = "must be `clear`, `pending`, `accepted` or `excluded`";
        return Err(ApiError::invalid("check_state", cause));
    }
    let records = access.read(Entry::new(Action::Query, "radiograph")).await?;
    let filter =
        models::radiographs::Filter { upload_id: filter.upload_id.as_deref(), check_state };
    let (items, total) =
        models::radiographs::list(records.db(), &filter, slice.offset(), slice.limit()).await?;
    let items = items.into_iter().map(super::view).collect();
    Ok(web::Json(Page::new(items, total, slice)))
}
