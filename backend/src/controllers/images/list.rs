//! `GET /images`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::images::{ImageFilter, ImageView, ReviewState};
use crate::views::page::{Page, PageQuery};

/// Your own synthetic images, those of the newest generation first.
#[utoipa::path(
    tag = "images",
    params(PageQuery, ImageFilter),
    responses((status = 200, description = "A page of them", body = Page<ImageView>), Refusals),
)]
#[get("/images")]
pub(super) async fn list(
    access: ClinicianOrMlEngineer,
    paging: Query<PageQuery>,
    filter: Query<ImageFilter>,
) -> Result<web::Json<Page<ImageView>>, ApiError> {
    let filter = filter.read()?;
    let review_state = filter.review_state.as_deref();
    if review_state.is_some_and(|word| ReviewState::parse(word).is_none()) {
        let cause = "must be `pending`, `released` or `rejected`";
        return Err(ApiError::invalid("review_state", cause));
    }
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::new(Action::Query, "image")).await?;
    let filter = models::images::Filter {
        created_by: Some(&access.user().id),
        generation_id: filter.generation_id.as_deref(),
        review_state,
    };
    let (items, total) =
        models::images::list(records.db(), &filter, slice.offset(), slice.limit()).await?;
    let items = items.into_iter().map(super::view).collect::<Result<_, _>>()?;
    Ok(web::Json(Page::new(items, total, slice)))
}
