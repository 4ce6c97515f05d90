//! `GET /images/{id}/report`

use actix_web::{HttpResponse, get, web};
use skiagraph_compliance::audit::Action;
use skiagraph_compliance::deidentification::Pseudonyms;
use skiagraph_engine::dicom::{self, Review};

use crate::audit::Entry;
use crate::auth::ClinicianOrAuditor;
use crate::controllers::domain::Domain;
use crate::controllers::{Query, Refusals, download};
use crate::error::ApiError;
use crate::models;
use crate::views::images::{ReportQuery, Verdict};

/// The verdict that counts on an image as a DICOM Structured Report that refers to it. Auditors get
/// that of every image, clinicians those of their own.
///
/// A report leaves the house, and the reviewer is an employee: their name stands in it only where it was
/// asked for.
#[utoipa::path(
    tag = "images",
    params(("id" = String, Path, description = "The image"), ReportQuery),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/dicom"),
        Refusals,
    ),
)]
#[get("/images/{id}/report")]
pub(super) async fn report(
    access: ClinicianOrAuditor,
    domain: web::Data<Domain>,
    id: web::Path<String>,
    query: Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let named = query.read()?.named;
    let entry = Entry::of(Action::Export, "image", &id).detail("form", "report");
    let records = access.read(entry.detail("reviewer_named", named)).await?;
    let image = super::visible(&access, records.db(), &id).await?;
    let review = models::reviews::newest(records.db(), &id).await?;
    let review = review.ok_or(ApiError::NotFound("review"))?;
    let pseudonyms = Pseudonyms::new(&domain.pseudonym_key)
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let name = if named {
        let reviewer = [review.reviewer.as_str()];
        let mut names = models::users::display_names(records.db(), reviewer).await?;
        names.remove(&review.reviewer)
    } else {
        None
    };
    let review = Review {
        verdict: match Verdict::parse(&review.verdict) {
            Some(Verdict::Release) => dicom::Verdict::Release,
            Some(Verdict::Reject) => dicom::Verdict::Reject,
            None => return Err(ApiError::Internal("an unknown verdict".to_owned())),
        },
        reason: review.reason,
        realism: review.realism.and_then(|realism| u8::try_from(realism).ok()),
        reviewer: name.unwrap_or_else(|| pseudonyms.reader(&review.reviewer)),
        reviewed_at: review.created_at,
    };
    let object = domain.storage.get(&image.object_key_dicom).await?;
    let report = web::block(move || dicom::write_report(&object, &review)).await?;
    let report = report.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(download(report.into(), "application/dicom", &format!("{id}.sr.dcm")))
}
