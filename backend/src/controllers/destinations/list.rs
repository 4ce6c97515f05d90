//! `GET /destinations`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;
use skiagraph_compliance::role::Role;

use crate::audit::Entry;
use crate::auth::MakerOrAdmin;
use crate::controllers::domain::Domain;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::views::destinations::DestinationView;
use crate::views::page::{Page, PageQuery};

/// The archives that images may be sent to, in the order of their names: those of the configuration and
/// those that administrators have made.
#[utoipa::path(
    tag = "transfers",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<DestinationView>), Refusals),
)]
#[get("/destinations")]
pub(super) async fn list(
    access: MakerOrAdmin,
    domain: web::Data<Domain>,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<DestinationView>>, ApiError> {
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::new(Action::Query, "destination")).await?;
    let all = domain.destinations.all(records.db()).await?;
    let total = all.len() as u64;
    let whole = access.user().has(Role::Admin);
    let page = all.into_iter().skip(slice.offset() as usize).take(slice.limit() as usize);
    let items = page.map(|(name, known)| DestinationView::of(name, &known, whole));
    let items = items.collect::<Result<_, _>>().map_err(ApiError::Internal)?;
    Ok(web::Json(Page::new(items, total, slice)))
}
