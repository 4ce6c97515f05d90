//! `GET /datasets/{id}/samples`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::data::{Dataset, Sample, Split};

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::domain::Domain;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::models::state::State;
use crate::views::datasets::SampleView;
use crate::views::page::{Page, PageQuery};

/// The images of a data set with their captions: those to train on, then those held out.
#[utoipa::path(
    tag = "datasets",
    params(("id" = String, Path, description = "Identifier"), PageQuery),
    responses(
        (status = 200, description = "A page of them", body = Page<SampleView>),
        (status = 409, description = "It is not built", body = crate::error::Problem),
        Refusals,
    ),
)]
#[get("/datasets/{id}/samples")]
pub(super) async fn samples(
    access: MlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
    paging: Query<PageQuery>,
) -> Result<web::Json<Page<SampleView>>, ApiError> {
    let slice = paging.read()?.page()?;
    let records = access.read(Entry::of(Action::OrderRead, "dataset", &id)).await?;
    let model =
        models::datasets::get(records.db(), &id).await?.ok_or(ApiError::NotFound("dataset"))?;
    if model.state != State::Succeeded.word() {
        return Err(ApiError::conflict("state", "the data set is not built"));
    }
    let folder = domain.folders.dataset(&id);
    let opened = web::block(move || Dataset::open(&folder)).await?;
    let dataset = opened.map_err(|error| ApiError::Internal(error.to_string()))?;
    let samples = [dataset.samples(Split::Train), dataset.samples(Split::Validation)].concat();
    let total = samples.len() as u64;
    let (offset, limit) = (slice.offset() as usize, slice.limit() as usize);
    let items = samples.into_iter().skip(offset).take(limit).map(view).collect();
    Ok(web::Json(Page::new(items, total, slice)))
}

fn view(sample: &Sample) -> SampleView {
    SampleView {
        id: sample.id.clone(),
        caption: sample.caption.clone(),
        split: sample.split,
        patient: sample.patient.clone(),
        findings: sample.findings.clone(),
        age_group: sample.age_group,
        age_years: sample.age_years,
        sex: sample.sex,
        view_position: sample.view_position.clone(),
        width: sample.width,
        height: sample.height,
        sha256: sample.sha256.clone(),
    }
}
