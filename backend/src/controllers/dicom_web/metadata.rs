//! `GET …/metadata`: all attributes, without pixels (PS3.18 10.4.1.1.2).

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde_json::Value;
use skiagraph_compliance::audit::Action;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    DataSets, InstancePath, SeriesPath, StudyPath, accept, dicom_json, event, instance, members,
    place, reader,
};
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::error::ApiError;
use crate::models::instances::Model;
use crate::views::dicom_web as view;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(of_study).service(of_series).service(of_instance);
}

/// The attributes of every instance of a study; of what is large, its address.
#[utoipa::path(tag = "dicom-web", params(StudyPath), responses(DataSets, Refusals))]
#[get("/studies/{study}/metadata")]
async fn of_study(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    path: web::Path<StudyPath>,
) -> Result<HttpResponse, ApiError> {
    accept::json(&request)?;
    let entry = event(Action::InstancesAccessed, "study", &path.study)?;
    let records = access.read(entry).await?;
    let models = members(&records, &reader(&access), &path.study, None).await?;
    Ok(answer(&access, &request, &models))
}

/// The attributes of every instance of a series; of what is large, its address.
#[utoipa::path(tag = "dicom-web", params(SeriesPath), responses(DataSets, Refusals))]
#[get("/studies/{study}/series/{series}/metadata")]
async fn of_series(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    path: web::Path<SeriesPath>,
) -> Result<HttpResponse, ApiError> {
    accept::json(&request)?;
    let entry = event(Action::InstancesAccessed, "series", &path.series)?;
    let records = access.read(entry).await?;
    let models = members(&records, &reader(&access), &path.study, Some(&path.series)).await?;
    Ok(answer(&access, &request, &models))
}

/// The attributes of an instance; of what is large, its address.
#[utoipa::path(tag = "dicom-web", params(InstancePath), responses(DataSets, Refusals))]
#[get("/studies/{study}/series/{series}/instances/{instance}/metadata")]
async fn of_instance(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    path: web::Path<InstancePath>,
) -> Result<HttpResponse, ApiError> {
    accept::json(&request)?;
    let model = instance(&access, &path, Action::InstancesAccessed).await?;
    Ok(answer(&access, &request, &[model]))
}

fn answer(access: &ClinicianOrMlEngineer, request: &HttpRequest, models: &[Model]) -> HttpResponse {
    let place = place(request, access.state());
    dicom_json(&Value::Array(models.iter().map(|model| view::metadata(model, &place)).collect()))
}
