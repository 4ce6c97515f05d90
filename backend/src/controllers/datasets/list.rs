//! `GET /datasets`

use std::collections::HashMap;

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::datasets::DatasetView;
use crate::views::page::{Page, PageQuery};

/// Data sets, the newest first.
#[utoipa::path(
    tag = "datasets",
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<DatasetView>), Refusals),
)]
#[get("/datasets")]
pub(super) async fn list(
    access: MlEngineer,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<DatasetView>>, ApiError> {
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::new(Action::Query, "dataset")).await?;
    let (items, total) =
        models::datasets::list(records.db(), slice.offset(), slice.limit()).await?;
    let ids = items.iter().map(|item| item.id.as_str());
    let mut uploads: HashMap<String, Vec<String>> = HashMap::new();
    for (dataset, upload) in models::datasets::uploads_of(records.db(), ids).await? {
        uploads.entry(dataset).or_default().push(upload);
    }
    let items = items
        .into_iter()
        .map(|item| {
            let upload_ids = uploads.remove(&item.id).unwrap_or_default();
            super::view(item, upload_ids)
        })
        .collect::<Result<_, _>>()?;
    Ok(web::Json(Page::new(items, total, slice)))
}
