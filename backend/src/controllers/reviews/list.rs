//! `GET /images/{id}/reviews`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrAuditor;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::images::ReviewView;
use crate::views::page::{Page, PageQuery};

/// Every review of an image, the newest first: the first one counts. Auditors see those of every
/// image, clinicians those of their own.
#[utoipa::path(
    tag = "images",
    params(("id" = String, Path, description = "The image"), PageQuery),
    responses((status = 200, description = "A page of them", body = Page<ReviewView>), Refusals),
)]
#[get("/images/{id}/reviews")]
pub(super) async fn list(
    access: ClinicianOrAuditor,
    id: web::Path<String>,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<ReviewView>>, ApiError> {
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::of(Action::ReviewRead, "image", &id)).await?;
    super::visible(&access, records.db(), &id).await?;
    let (items, total) =
        models::reviews::list(records.db(), &id, slice.offset(), slice.limit()).await?;
    let reviewers = items.iter().map(|review| review.reviewer.as_str());
    let names = models::users::display_names(records.db(), reviewers).await?;
    let items = items
        .into_iter()
        .map(|review| {
            let name = names.get(&review.reviewer).cloned().unwrap_or_default();
            super::view(review, name)
        })
        .collect::<Result<_, _>>()?;
    Ok(web::Json(Page::new(items, total, slice)))
}
