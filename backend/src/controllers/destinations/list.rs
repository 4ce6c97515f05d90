//! `GET /destinations`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MakerOrAdmin;
use crate::controllers::domain::Domain;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::views::page::{Page, PageQuery};
use crate::views::transfers::DestinationView;

/// The archives of the configuration, in the order of their names.
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
    access.read(Entry::new(Action::Query, "destination")).await?;
    let page = domain.destinations.iter().skip(slice.offset() as usize);
    let items = page
        .take(slice.limit() as usize)
        .map(|(name, destination)| DestinationView {
            name: name.clone(),
            address: destination.address.clone(),
            ae_title: destination.ae_title.clone(),
            accepts_synthetic: destination.accepts_synthetic,
            tls: destination.tls.is_some(),
        })
        .collect();
    Ok(web::Json(Page::new(items, domain.destinations.len() as u64, slice)))
}
