//! `GET /transfers`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::page::{Page, PageQuery};
use crate::views::transfers::TransferView;

/// Your own transfers, the newest first.
#[utoipa::path(
    tag = "transfers",
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<TransferView>), Refusals),
)]
#[get("/transfers")]
pub(super) async fn list(
    access: ClinicianOrMlEngineer,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<TransferView>>, ApiError> {
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::new(Action::OrderRead, "transfer")).await?;
    let (items, total) =
        models::transfers::list(records.db(), &access.user().id, slice.offset(), slice.limit())
            .await?;
    let items = items.into_iter().map(super::view).collect::<Result<_, _>>()?;
    Ok(web::Json(Page::new(items, total, slice)))
}
