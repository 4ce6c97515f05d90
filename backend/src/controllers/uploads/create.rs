//! `POST /uploads`

use std::sync::Arc;

use actix_multipart::Multipart;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::Utc;
use skiagraph_compliance::audit::Action;
use uuid::Uuid;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::{ApiError, FieldError, Problem};
use crate::intake::{self, Checked, Import, Imported, Limits, NewUpload, Scratch};
use crate::views::checks::Checks;
use crate::views::limits;
use crate::views::uploads::{UploadForm, UploadView};

/// Sends radiographs: DICOM files, a folder's files, or ZIPs of them.
///
/// All or nothing: one file that is no radiograph, damaged, synthetic or hostile refuses the whole
/// upload, and `errors[].field` says which by its position: `files[3]`, `files[0]/entry 12`. Copies
/// of one file are kept once.
#[utoipa::path(
    tag = "uploads",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Everything is stored", body = UploadView),
        (status = 400, description = "No multipart form of files", body = Problem),
        (status = 413, description = "More than the limits allow", body = Problem),
        Refusals,
    ),
)]
#[post("/uploads")]
pub(super) async fn create(
    access: MlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::now_v7().to_string();
    refuse_early(&request, &domain.limits)?;
    let taken = take(&domain, &request, payload).await;
    if let Err(ApiError::Invalid(faults)) = &taken {
        let entry = Entry::of(Action::Import, "upload", &id).failed();
        access.read(entry.detail("faults", faults.len())).await?;
    }
    let Taken { name, checked, scratch } = taken?;
    let import = Import {
        upload: NewUpload {
            id: &id,
            name: &name,
            created_by: &access.user().id,
            pseudonym_key: &domain.pseudonym_key,
        },
        piece: None,
        by: None,
        checked: &checked,
    };
    let kept = import.keep(&domain.janitor, &scratch, access.change()).await;
    // Gigabytes may have to be removed.
    web::block(move || drop(scratch)).await?;
    let Imported { upload, doubted } = kept?;
    Ok(HttpResponse::Created().json(super::view(upload, doubted)))
}

/// An upload whose files are all in order, on disk.
struct Taken {
    name: String,
    checked: Vec<Checked>,
    scratch: Scratch,
}

/// Takes the body in and looks at every file.
async fn take(
    domain: &Domain,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Taken, ApiError> {
    let mut body = Multipart::new(request.headers(), payload);
    let scratch = Scratch::new(&domain.folders.scratch())?;
    let received = intake::receive(&mut body, &scratch, &domain.limits).await?;
    let name = name(received.name)?;
    let (limits, examiner) = (domain.limits.clone(), Arc::clone(&domain.examiner));
    let (checked, scratch) = web::block(move || {
        let checked = intake::check(&received.files, &scratch, &limits, &examiner);
        (checked, scratch)
    })
    .await?;
    Ok(Taken { name, checked: checked?, scratch })
}

/// Refuses by the declared length, before a byte of the body is read.
fn refuse_early(request: &HttpRequest, limits: &Limits) -> Result<(), ApiError> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits.request_bytes) {
        return Err(ApiError::TooLarge(FieldError {
            field: "body".to_owned(),
            cause: format!("an upload may have {} bytes", limits.request_bytes),
        }));
    }
    Ok(())
}

/// The name that was given, or one by the time; never one from a file.
fn name(given: Option<String>) -> Result<String, ApiError> {
    match given.filter(|name| !name.trim().is_empty()) {
        None => Ok(format!("Upload of {}", Utc::now().format("%Y-%m-%d %H:%M UTC"))),
        Some(name) => {
            let mut checks = Checks::new();
            let name = checks.text("name", &name, &limits::NAME);
            Ok(checks.finish(name)?)
        }
    }
}
