//! DICOMweb (PS3.18): search (QIDO-RS), retrieval (WADO-RS) and store (STOW-RS), for viewers and
//! archives. What is in sight is what the rest of the API shows: released images, one's own, and
//! radiographs for ML engineers.

mod accept;
mod metadata;
mod parts;
mod pixels;
mod rendered;
mod responses;
mod retrieve;
mod search;
mod store;

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::Value;
use skiagraph_compliance::audit::Action;
use skiagraph_compliance::role::Role;
use skiagraph_engine::dicom;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::audit::Entry;
use crate::auth::{ClinicianOrMlEngineer, Records};
use crate::error::ApiError;
use crate::models::instances::{self, Model, Reader};
use crate::state::AppState;
use crate::views::dicom_web::Place;

pub use responses::{DataSets, Objects, Parts, Picture, Pictures, Results, Stored};

/// The endpoints, under `/dicom-web`.
pub fn routes(config: &mut ServiceConfig) {
    search::routes(config);
    metadata::routes(config);
    pixels::routes(config);
    rendered::routes(config);
    retrieve::routes(config);
    store::routes(config);
}

/// A study in an address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct StudyPath {
    /// Study Instance UID
    study: String,
}

/// A series in an address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct SeriesPath {
    /// Study Instance UID
    study: String,
    /// Series Instance UID
    series: String,
}

/// An instance in an address; what follows it there is read by itself.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct InstancePath {
    /// Study Instance UID
    study: String,
    /// Series Instance UID
    series: String,
    /// SOP Instance UID
    instance: String,
}

/// What of the index this user sees.
fn reader(access: &ClinicianOrMlEngineer) -> Reader {
    let user = access.user();
    Reader { user_id: user.id.clone(), radiographs: user.has(Role::MlEngineer) }
}

/// Where clients find this service: as the configuration says, or as the request does.
fn place(request: &HttpRequest, state: &AppState) -> Place {
    let base = match &state.config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None if state.config.trust_proxy => {
            let info = request.connection_info();
            format!("{}://{}", info.scheme(), info.host())
        }
        // What a client says of a proxy is not asked.
        None => {
            let host = request.headers().get(actix_web::http::header::HOST);
            let host = host.and_then(|host| host.to_str().ok()).unwrap_or("localhost");
            // Some clients leave the port out, dicomweb-client among them, and would look for pixels at port 80.
            let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
            match request.app_config().local_addr().port() {
                port if port != 80 && !has_port => format!("http://{host}:{port}"),
                _ => format!("http://{host}"),
            }
        }
    };
    Place(format!("{base}/dicom-web"))
}

/// An event of one object by its UID; a text that is no UID names nothing and is not written down.
fn event(action: Action, kind: &'static str, uid: &str) -> Result<Entry, ApiError> {
    if dicom::is_valid_uid(uid) {
        Ok(Entry::of(action, kind, uid))
    } else {
        Err(ApiError::NotFound(kind))
    }
}

/// The instances in sight of a study or a series, of which there is one at least.
async fn members(
    records: &Records,
    reader: &Reader,
    study: &str,
    series: Option<&str>,
) -> Result<Vec<Model>, ApiError> {
    let models = instances::of(records.db(), reader, study, series).await?;
    if models.is_empty() {
        return Err(ApiError::NotFound(if series.is_some() { "series" } else { "study" }));
    }
    Ok(models)
}

/// The instance, with the event of what is done with it.
async fn instance(
    access: &ClinicianOrMlEngineer,
    path: &InstancePath,
    action: Action,
) -> Result<Model, ApiError> {
    let records = access.read(event(action, "instance", &path.instance)?).await?;
    let InstancePath { study, series, instance } = path;
    let found = instances::get(records.db(), &reader(access), study, series, instance).await?;
    found.ok_or(ApiError::NotFound("instance"))
}

/// An answer in DICOM JSON.
fn dicom_json(value: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type("application/dicom+json").body(value.to_string())
}

/// What only reading the object can tell; a frame that is not there is the client's fault.
fn unreadable(error: dicom::DicomError) -> ApiError {
    match error {
        dicom::DicomError::Attribute { keyword: "NumberOfFrames", .. } => {
            ApiError::NotFound("frame")
        }
        dicom::DicomError::Attribute { keyword: "WindowWidth", cause, .. } => {
            ApiError::malformed("window", cause)
        }
        other => ApiError::conflict("pixels", other.to_string()),
    }
}
