//! `GET /studies`, `/series`, `/instances` …: QIDO-RS (PS3.18 10.6).

use actix_web::http::header::{HeaderValue, WARNING};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde_json::Value;
use skiagraph_compliance::audit::Action;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Results, SeriesPath, StudyPath, accept, dicom_json, place, reader};
use crate::audit::Entry;
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models::instances::{self, Column};
use crate::views::dicom_web::{self as view, Level, MOST_RESULTS, Search};

type Pairs = Query<Vec<(String, String)>>;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(find_studies)
        .service(find_series_of_study)
        .service(find_instances_of_series)
        .service(find_instances_of_study)
        .service(find_series)
        .service(find_instances);
}

/// Studies in sight. Query parameters are attributes by keyword or tag with what they must be (`*` and
/// `?` in texts, lists of UIDs, spans of days and times), `includefield`, `limit`, `offset`.
#[utoipa::path(tag = "dicom-web", responses(Results, Refusals))]
#[get("/studies")]
async fn find_studies(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    query: Pairs,
) -> Result<HttpResponse, ApiError> {
    search(&access, &request, &query, Level::Study, None, None).await
}

/// Series of a study, searched as studies are.
#[utoipa::path(tag = "dicom-web", params(StudyPath), responses(Results, Refusals))]
#[get("/studies/{study}/series")]
async fn find_series_of_study(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    path: web::Path<StudyPath>,
    query: Pairs,
) -> Result<HttpResponse, ApiError> {
    search(&access, &request, &query, Level::Series, Some(&path.study), None).await
}

/// Instances of a series, searched as studies are.
#[utoipa::path(tag = "dicom-web", params(SeriesPath), responses(Results, Refusals))]
#[get("/studies/{study}/series/{series}/instances")]
async fn find_instances_of_series(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    path: web::Path<SeriesPath>,
    query: Pairs,
) -> Result<HttpResponse, ApiError> {
    let (study, series) = (Some(path.study.as_str()), Some(path.series.as_str()));
    search(&access, &request, &query, Level::Instance, study, series).await
}

/// Instances of a study, searched as studies are.
#[utoipa::path(tag = "dicom-web", params(StudyPath), responses(Results, Refusals))]
#[get("/studies/{study}/instances")]
async fn find_instances_of_study(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    path: web::Path<StudyPath>,
    query: Pairs,
) -> Result<HttpResponse, ApiError> {
    search(&access, &request, &query, Level::Instance, Some(&path.study), None).await
}

/// Series in sight, searched as studies are.
#[utoipa::path(tag = "dicom-web", responses(Results, Refusals))]
#[get("/series")]
async fn find_series(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    query: Pairs,
) -> Result<HttpResponse, ApiError> {
    search(&access, &request, &query, Level::Series, None, None).await
}

/// Instances in sight, searched as studies are.
#[utoipa::path(tag = "dicom-web", responses(Results, Refusals))]
#[get("/instances")]
async fn find_instances(
    access: ClinicianOrMlEngineer,
    request: HttpRequest,
    query: Pairs,
) -> Result<HttpResponse, ApiError> {
    search(&access, &request, &query, Level::Instance, None, None).await
}

async fn search(
    access: &ClinicianOrMlEngineer,
    request: &HttpRequest,
    query: &Pairs,
    level: Level,
    study: Option<&str>,
    series: Option<&str>,
) -> Result<HttpResponse, ApiError> {
    accept::json(request)?;
    let search = Search::read(&query.read()?)?.within(study, series);
    // Which attributes were searched by is written down; what somebody typed into them is not.
    let entry = Entry::new(Action::Query, level.word()).detail("keys", search.keys.clone());
    let records = access.read(entry).await?;
    let (db, reader, place) = (records.db(), reader(access), place(request, access.state()));
    let limit = search.limit.unwrap_or(MOST_RESULTS).min(MOST_RESULTS);
    // One more, to know whether there is more.
    let (offset, criteria) = (search.offset, &search.criteria);
    let mut results: Vec<Value> = match level {
        Level::Study | Level::Series => {
            let study = level == Level::Study;
            let by = if study { Column::StudyInstanceUid } else { Column::SeriesInstanceUid };
            let groups = instances::groups(db, &reader, criteria, by, offset, limit + 1).await?;
            let result = if study { view::study } else { view::series };
            groups.iter().map(|group| result(group, &place, &search)).collect()
        }
        Level::Instance => {
            let models = instances::find(db, &reader, criteria, offset, limit + 1).await?;
            models.iter().map(|model| view::instance(model, &place, &search)).collect()
        }
    };
    let more = results.len() as u64 > limit;
    results.truncate(limit as usize);
    let mut response = dicom_json(&Value::Array(results));
    let wanted_more = search.limit.is_none_or(|limit| limit > MOST_RESULTS);
    let mut warn = |words: &'static str| {
        response.headers_mut().append(WARNING, HeaderValue::from_static(words));
    };
    if more && wanted_more {
        warn("299 skiagraph \"there are more results; ask for them by offset\"");
    }
    if search.fuzzy {
        warn("299 skiagraph \"fuzzymatching is not done; values were matched by their letters\"");
    }
    Ok(response)
}
