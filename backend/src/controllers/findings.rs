//! `GET /findings`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::prompt;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::views::models::FindingView;
use crate::views::page::{Page, PageQuery};

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list);
}

/// The vocabulary: every finding that a prompt may name, in the order of captions.
#[utoipa::path(
    tag = "models",
    params(PageQuery),
    responses((status = 200, description = "The vocabulary", body = Page<FindingView>), Refusals),
)]
#[get("/findings")]
async fn list(
    access: ClinicianOrMlEngineer,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<FindingView>>, ApiError> {
    let slice = paging.read()?.page()?;
    access.read(Entry::new(Action::Query, "finding")).await?;
    let all = prompt::findings();
    let items = all
        .iter()
        .skip(slice.offset() as usize)
        .take(slice.limit() as usize)
        .map(|finding| FindingView {
            slug: finding.slug,
            name: finding.name,
            snomed: finding.snomed,
        })
        .collect();
    Ok(web::Json(Page::new(items, all.len() as u64, slice)))
}
