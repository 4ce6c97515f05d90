//! `POST /verify`

use actix_multipart::Multipart;
use actix_web::{HttpRequest, post, web};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::verify::{self, Report, VerifyError};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::audit::Entry;
use crate::auth::AnyUser;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::{ApiError, Problem};
use crate::intake::{self, Limits, Scratch};
use crate::models::registry::{self, Kind};
use crate::views::verify::{VerificationView, VerifyForm};

/// Bytes of a file that is looked at: it is held in memory.
const MOST: u64 = 128 << 20;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config.service(verify_file);
}

/// Says what an image is: by what its file says, by its credential, by the mark in its pixels, and by whether this
/// platform made it.
///
/// A DICOM, PNG or JPEG file. Nothing of it is kept; that somebody asked is written down, with neither name nor content.
#[utoipa::path(
    tag = "verify",
    request_body(content = VerifyForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "What was found", body = VerificationView),
        (status = 400, description = "No multipart form of one file", body = Problem),
        (status = 413, description = "More than one file, or a larger one than is looked at", body = Problem),
        Refusals,
    ),
)]
#[post("/verify")]
async fn verify_file(
    access: AnyUser,
    domain: web::Data<Domain>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<web::Json<VerificationView>, ApiError> {
    let looked = look(&domain, &request, payload).await;
    if let Err(ApiError::Invalid(_)) = &looked {
        access.read(Entry::new(Action::Query, "registry").failed()).await?;
    }
    let report = looked?;
    let identifiers = registry::of(report.identity.clone());
    let records = access.read(Entry::new(Action::Query, "registry")).await?;
    let known = registry::find(records.db(), &identifiers).await?;
    // A number can be written into any file; bytes and pixels cannot.
    let ours = known
        .as_ref()
        .is_some_and(|known| known.by.iter().any(|kind| matches!(kind, Kind::File | Kind::Pixels)));
    let verdict = report.verdict(ours);
    Ok(web::Json(VerificationView::new(report, verdict, known)?))
}

/// Takes the file in, looks at it, and takes it away.
async fn look(
    domain: &Domain,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Report, ApiError> {
    let request_bytes = MOST.min(domain.limits.request_bytes);
    let limits = Limits { request_bytes, files: 1, ..domain.limits.clone() };
    let mut body = Multipart::new(request.headers(), payload);
    let scratch = Scratch::new(&domain.folders.scratch())?;
    let received = intake::receive(&mut body, &scratch, &limits).await?;
    let means = domain.means.clone();
    let turn = domain.looks.clone().acquire_owned().await;
    let turn = turn.map_err(|_| ApiError::Unavailable("the platform is about to end"))?;
    let report = web::block(move || {
        let found = received.files.first().map(|file| {
            let bytes = std::fs::read(&file.path)?;
            verify::verify(&bytes, &means).map_err(|error| refused(&file.label, &error))
        });
        drop((scratch, turn));
        found.unwrap_or_else(|| Err(ApiError::malformed("files", "is missing")))
    });
    report.await?
}

/// Why the file is not looked at; nothing of the file is in it.
fn refused(label: &str, error: &VerifyError) -> ApiError {
    match error {
        VerifyError::Empty | VerifyError::Picture(_) => ApiError::invalid(label, error.to_string()),
        VerifyError::Credential(_) => ApiError::Internal(error.to_string()),
    }
}
