//! `POST /studies`: STOW-RS (PS3.18 10.5). Objects go through the intake that uploads go through; each is
//! kept or not by itself.

use std::fs::File;
use std::sync::Arc;

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::Utc;
use serde_json::{Map, Value, json};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Stored, StudyPath, accept, dicom_json, place};
use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::{ApiError, FieldError};
use crate::intake::{
    self, Checked, Examiner, Import, IntakeError, NewUpload, ReceivedFile, Scratch,
};
use crate::views::dicom_web::{Place, data_set, stored};

/// The service as the log calls it.
const SERVICE: &str = "stow_rs";
/// Failure Reason (0008,1197) of what cannot be read or must not come in: Cannot Understand.
const CANNOT_UNDERSTAND: u16 = 0xC000;
/// … of what is larger than allowed: Out of Resources.
const OUT_OF_RESOURCES: u16 = 0xA700;
/// … of an object that belongs elsewhere: Data Set Does Not Match.
const MISMATCH: u16 = 0xA900;
/// Warning Reason (0008,1196) of what is kept: Coercion of Data Elements.
const COERCED: u16 = 0xB000;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(store).service(store_in_study);
}

/// Keeps radiographs. Each part is one object; identifiers are taken out of it before it is kept, its
/// UIDs among them, so that the answer names it by the UIDs that it came with and says where it is.
/// Synthetic objects are refused, as they are in uploads.
#[utoipa::path(
    tag = "dicom-web",
    request_body(content = Vec<u8>, content_type = "multipart/related"),
    responses(Stored, Refusals),
)]
#[post("/studies")]
async fn store(
    access: MlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    keep(&access, &domain, &request, payload, None).await
}

/// Keeps radiographs of this study, named by the UID that they come with; others are refused.
#[utoipa::path(
    tag = "dicom-web",
    params(StudyPath),
    request_body(content = Vec<u8>, content_type = "multipart/related"),
    responses(Stored, Refusals),
)]
#[post("/studies/{study}")]
async fn store_in_study(
    access: MlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<StudyPath>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    keep(&access, &domain, &request, payload, Some(path.into_inner().study)).await
}

/// What was said of an object before anything was done, and what became of it.
struct Looked {
    class: String,
    instance: String,
    outcome: Result<usize, u16>,
}

async fn keep(
    access: &MlEngineer,
    domain: &Domain,
    request: &HttpRequest,
    payload: web::Payload,
    study: Option<String>,
) -> Result<HttpResponse, ApiError> {
    accept::json(request)?;
    let mut body = Multipart::new(&headers(request)?, payload);
    let scratch = Scratch::new(&domain.folders.scratch())?;
    let files = intake::receive_related(&mut body, &scratch, &domain.limits).await?;
    let (limits, examiner) = (domain.limits.clone(), Arc::clone(&domain.examiner));
    let looked = web::block(move || {
        let mut checked = Vec::new();
        let looked: Vec<Looked> = files
            .into_iter()
            .map(|file| look(file, study.as_deref(), &limits, &examiner, &mut checked))
            .collect::<Result<_, _>>()?;
        Ok::<_, IntakeError>((looked, checked, scratch))
    });
    let (looked, checked, scratch) = looked.await??;
    let id = Uuid::now_v7().to_string();
    let failed = looked.iter().filter(|one| one.outcome.is_err()).count();
    if failed > 0 {
        let entry = Entry::of(Action::Import, "upload", &id).failed().detail("by", SERVICE);
        access.read(entry.detail("faults", failed)).await?;
    }
    if !checked.is_empty() {
        let name = format!("Stored on {}", Utc::now().format("%Y-%m-%d %H:%M UTC"));
        let import = Import {
            upload: NewUpload {
                id: &id,
                name: &name,
                created_by: &access.user().id,
                pseudonym_key: &domain.pseudonym_key,
            },
            piece: None,
            by: Some(SERVICE),
            checked: &checked,
        };
        import.keep(&domain.janitor, &scratch, access.change()).await?;
    }
    web::block(move || drop(scratch)).await?;
    let status = match (failed, checked.len()) {
        (0, _) => StatusCode::OK,
        (_, 0) => StatusCode::CONFLICT,
        (..) => StatusCode::ACCEPTED,
    };
    let mut response = dicom_json(&report(&looked, &checked, &place(request, access.state())));
    *response.status_mut() = status;
    Ok(response)
}

/// Looks at one object and de-identifies it; a copy of another in the same request is kept with it.
fn look(
    file: ReceivedFile,
    study: Option<&str>,
    limits: &intake::Limits,
    examiner: &Examiner,
    checked: &mut Vec<Checked>,
) -> Result<Looked, IntakeError> {
    let unknown = || Looked {
        class: String::new(),
        instance: String::new(),
        outcome: Err(CANNOT_UNDERSTAND),
    };
    if file.bytes > limits.file_bytes {
        return Ok(Looked { outcome: Err(OUT_OF_RESOURCES), ..unknown() });
    }
    let Ok(known) = dicom::identify(File::open(&file.path)?) else { return Ok(unknown()) };
    let mut looked = Looked {
        class: known.sop_class_uid,
        instance: known.sop_instance_uid,
        outcome: Err(MISMATCH),
    };
    if study.is_some_and(|study| study != known.study_instance_uid) {
        return Ok(looked);
    }
    looked.outcome = match intake::check_object(file, limits, examiner) {
        Ok(object) => {
            let uid = object.header.sop_instance_uid.as_str();
            let same = |other: &Checked| other.header.sop_instance_uid == uid;
            match checked.iter().position(same) {
                None => {
                    checked.push(object);
                    Ok(checked.len() - 1)
                }
                Some(index) if checked[index].sha256 == object.sha256 => Ok(index),
                // One instance with two contents.
                Some(_) => Err(CANNOT_UNDERSTAND),
            }
        }
        Err(IntakeError::Io(error)) => return Err(error.into()),
        Err(IntakeError::TooLarge(_)) => Err(OUT_OF_RESOURCES),
        Err(IntakeError::Refused(_) | IntakeError::Malformed(_)) => Err(CANNOT_UNDERSTAND),
    };
    Ok(looked)
}

/// The Store Instances Response Module (PS3.18 annex I).
fn report(looked: &[Looked], checked: &[Checked], place: &Place) -> Value {
    let (mut kept, mut failed) = (Vec::new(), Vec::new());
    for one in looked {
        match one.outcome {
            Ok(index) => {
                let address = checked.get(index).map(|object| {
                    let header = &object.header;
                    format!(
                        "{}/series/{}/instances/{}",
                        place.study(&header.study_instance_uid),
                        header.series_instance_uid,
                        header.sop_instance_uid
                    )
                });
                let mut item = stored(&one.class, &one.instance, address);
                item["00081196"] = json!({ "vr": "US", "Value": [COERCED] });
                kept.push(item);
            }
            Err(reason) => {
                let mut item = stored(&one.class, &one.instance, None);
                item["00081197"] = json!({ "vr": "US", "Value": [reason] });
                failed.push(item);
            }
        }
    }
    let mut studies: Vec<&str> =
        checked.iter().map(|object| object.header.study_instance_uid.as_str()).collect();
    studies.dedup();
    let mut module = Map::new();
    if let [study] = studies.as_slice() {
        module.insert("00081190".to_owned(), json!({ "vr": "UR", "Value": [place.study(study)] }));
    }
    for (tag, items) in [("00081199", kept), ("00081198", failed)] {
        if !items.is_empty() {
            module.insert(tag.to_owned(), json!({ "vr": "SQ", "Value": items }));
        }
    }
    data_set(module)
}

/// The one header that the reader of parts asks for. Clients write the type of their parts with quotes
/// or without; without, it is no media type by RFC 9110, and yet common.
fn headers(request: &HttpRequest) -> Result<HeaderMap, ApiError> {
    let text = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (media, parameters) = accept::parameters(text.unwrap_or_default());
    let parameter = |name: &str| {
        parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    let kind = parameter("type").unwrap_or("application/dicom");
    if media != "multipart/related" || !kind.eq_ignore_ascii_case("application/dicom") {
        let cause = "must be multipart/related with type=\"application/dicom\"";
        return Err(ApiError::MediaType(FieldError::new("content-type", cause)));
    }
    let boundary = parameter("boundary").filter(|boundary| !boundary.contains('"'));
    let fault = || ApiError::malformed("content-type", "has no boundary");
    let value = format!("multipart/related; boundary=\"{}\"", boundary.ok_or_else(fault)?);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&value).map_err(|_| fault())?);
    Ok(headers)
}
