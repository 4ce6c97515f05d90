//! `GET …/studies/{study}` and below: whole objects (PS3.18 10.4.1.1.1).

use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use futures::FutureExt;
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom;
use utoipa_actix_web::service_config::ServiceConfig;

use super::parts::{self, Making, Part};
use super::{
    InstancePath, Objects, SeriesPath, StudyPath, accept, event, instance, members, place, reader,
    unreadable,
};
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::ApiError;
use crate::models::instances::Model;
use crate::storage::Storage;

const DICOM: &str = "application/dicom";
/// Explicit VR Little Endian: what a client gets that names no transfer syntax (PS3.18 8.7.3.1).
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(whole_study).service(whole_series).service(whole_instance);
}

/// Every object of a study, in Explicit VR Little Endian where the client names no other transfer
/// syntax; `transfer-syntax=*` gives each as it is stored.
#[utoipa::path(tag = "dicom-web", params(StudyPath), responses(Objects, Refusals))]
#[get("/studies/{study}")]
async fn whole_study(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<StudyPath>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(event(Action::Export, "study", &path.study)?).await?;
    let models = members(&records, &reader(&access), &path.study, None).await?;
    answer(&access, &domain, &request, models).await
}

/// Every object of a series, as those of a study.
#[utoipa::path(tag = "dicom-web", params(SeriesPath), responses(Objects, Refusals))]
#[get("/studies/{study}/series/{series}")]
async fn whole_series(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<SeriesPath>,
) -> Result<HttpResponse, ApiError> {
    let records = access.read(event(Action::Export, "series", &path.series)?).await?;
    let models = members(&records, &reader(&access), &path.study, Some(&path.series)).await?;
    answer(&access, &domain, &request, models).await
}

/// An object, as those of a study; where the client asks for `application/dicom` alone, without parts.
#[utoipa::path(tag = "dicom-web", params(InstancePath), responses(Objects, Refusals))]
#[get("/studies/{study}/series/{series}/instances/{instance}")]
async fn whole_instance(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<InstancePath>,
) -> Result<HttpResponse, ApiError> {
    let model = instance(&access, &path, Action::Export).await?;
    answer(&access, &domain, &request, vec![model]).await
}

/// In which transfer syntax objects go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Stored,
    Explicit,
}

async fn answer(
    access: &ClinicianOrMlEngineer,
    domain: &Domain,
    request: &HttpRequest,
    models: Vec<Model>,
) -> Result<HttpResponse, ApiError> {
    let found = accept::ranges(request).into_iter().find_map(|range| {
        let single = range.multipart == Some(false);
        // Several objects have no form without parts.
        if !range.holds(DICOM) || single && models.len() > 1 {
            return None;
        }
        let syntax = match range.transfer_syntax.as_deref() {
            Some("*") => Syntax::Stored,
            None | Some(EXPLICIT) => Syntax::Explicit,
            Some(uid) if models.iter().all(|model| model.transfer_syntax_uid == uid) => {
                Syntax::Stored
            }
            Some(_) => return None,
        };
        Some((single, syntax))
    });
    let (single, syntax) = found.ok_or_else(|| {
        accept::none(
            "multipart/related with type=\"application/dicom\", in Explicit VR Little Endian or \
             as stored (transfer-syntax=*)",
        )
    })?;
    let place = place(request, access.state());
    let storage = domain.storage.clone();
    let mut making = models.into_iter().map(move |model| -> Making {
        part(storage.clone(), place.instance(&model), model, syntax).boxed_local()
    });
    if single && let Some(making) = making.next() {
        let part = making.await?;
        return Ok(HttpResponse::Ok().content_type(part.content_type).body(part.bytes));
    }
    parts::related(DICOM, making).await
}

async fn part(
    storage: Storage,
    location: String,
    model: Model,
    syntax: Syntax,
) -> Result<Part, ApiError> {
    let bytes = storage.get(&model.object_key).await?;
    let stored = model.transfer_syntax_uid;
    let (bytes, uid) = if syntax == Syntax::Stored || stored == EXPLICIT {
        (bytes, stored)
    } else {
        let plain = web::block(move || dicom::uncompressed(&bytes)).await?;
        (Bytes::from(plain.map_err(unreadable)?), EXPLICIT.to_owned())
    };
    Ok(Part { content_type: format!("{DICOM}; transfer-syntax={uid}"), location, bytes })
}
