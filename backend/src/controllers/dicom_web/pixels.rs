//! `GET …/frames/{frames}` and `…/bulkdata/{tag}`: values that are large (PS3.18 10.4.1.1.5, 10.4.1.1.6).

use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use futures::FutureExt;
use serde::Deserialize;
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::parts::{self, Making, Part};
use super::{InstancePath, accept, instance, place, unreadable};
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::Refusals;
use crate::controllers::domain::Domain;
use crate::error::{ApiError, Problem};

const OCTETS: &str = "application/octet-stream";
/// Explicit VR Little Endian, in which values are that are not compressed.
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// Frames of a request.
const MOST_FRAMES: usize = 1_000;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(some_frames).service(bulk_value);
}

/// What follows the instance in the address of frames.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct FramesPath {
    /// Numbers of the frames
    frames: String,
}

/// What follows the instance in the address of a value.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct BulkPath {
    /// The attribute's tag, eight hexadecimal digits
    tag: String,
}

/// Frames of an instance, from 1, with commas between their numbers. Not compressed, as
/// `application/octet-stream`; or as they are stored, where the client asks for their media type or for
/// any transfer syntax.
#[utoipa::path(
    tag = "dicom-web",
    params(InstancePath, FramesPath),
    responses(
        (status = 200, description = "The frames", body = Vec<u8>, content_type = "multipart/related"),
        (status = 400, description = "No numbers", body = Problem),
        (status = 406, description = "Not in this form", body = Problem),
        Refusals,
    ),
)]
#[get("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}")]
async fn some_frames(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<InstancePath>,
    frames: web::Path<FramesPath>,
) -> Result<HttpResponse, ApiError> {
    let model = instance(&access, &path, Action::InstancesAccessed).await?;
    let frames = numbers(&frames.frames)?;
    let bytes = domain.storage.get(&model.object_key).await?;
    let first = frames[0];
    let stored = web::block({
        let bytes = bytes.clone();
        move || dicom::stored_frame(&bytes, first)
    });
    let stored = stored.await?.map_err(unreadable)?;
    let media = stored.media_type;
    let found = accept::ranges(&request).into_iter().find_map(|range| {
        let single = range.multipart == Some(false);
        if single && frames.len() > 1 {
            return None;
        }
        let any = range.transfer_syntax.as_deref() == Some("*");
        let own = range.transfer_syntax.as_deref() == Some(stored.transfer_syntax_uid.as_str());
        // Compressed frames are never called octets: a client that reads those takes them for pixels.
        if media != OCTETS && range.holds(media) && (range.media == media || any || own) {
            return Some((single, true));
        }
        let plain = range.holds(OCTETS)
            && range.transfer_syntax.as_deref().is_none_or(|uid| uid == EXPLICIT || uid == "*");
        plain.then_some((single, false))
    });
    let (single, as_stored) = found.ok_or_else(|| {
        accept::none("multipart/related with type=\"application/octet-stream\", or as stored")
    })?;
    let syntax = if as_stored { stored.transfer_syntax_uid.as_str() } else { EXPLICIT };
    let kind = if as_stored { media } else { OCTETS };
    let content_type = format!("{kind}; transfer-syntax={syntax}");
    let address = place(&request, access.state()).instance(&model);
    let mut making = frames.into_iter().map(move |number| -> Making {
        let (bytes, content_type) = (bytes.clone(), content_type.clone());
        let location = format!("{address}/frames/{number}");
        async move {
            let frame = web::block(move || {
                if as_stored {
                    dicom::stored_frame(&bytes, number).map(|frame| frame.bytes)
                } else {
                    dicom::native_frame(&bytes, number)
                }
            });
            let bytes = Bytes::from(frame.await?.map_err(unreadable)?);
            Ok(Part { content_type, location, bytes })
        }
        .boxed_local()
    });
    if single && let Some(making) = making.next() {
        let part = making.await?;
        return Ok(HttpResponse::Ok().content_type(part.content_type).body(part.bytes));
    }
    parts::related(kind, making).await
}

/// Numbers of frames; there is one at least.
fn numbers(text: &str) -> Result<Vec<u32>, ApiError> {
    let numbers: Option<Vec<u32>> =
        text.split(',').map(|number| number.parse().ok().filter(|number| *number > 0)).collect();
    match numbers {
        Some(numbers) if numbers.len() <= MOST_FRAMES => Ok(numbers),
        Some(_) => Err(ApiError::malformed("frames", format!("at most {MOST_FRAMES} at once"))),
        None => Err(ApiError::malformed("frames", "must be numbers from 1, with commas between")),
    }
}

/// A value that the metadata gives an address of; of pixels all frames, not compressed.
#[utoipa::path(
    tag = "dicom-web",
    params(InstancePath, BulkPath),
    responses(
        (status = 200, description = "The value", content(
            (Vec<u8> = "multipart/related"),
            (Vec<u8> = "application/octet-stream"),
        )),
        (status = 406, description = "Not in this form", body = Problem),
        Refusals,
    ),
)]
#[get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{tag}")]
async fn bulk_value(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<InstancePath>,
    value: web::Path<BulkPath>,
) -> Result<HttpResponse, ApiError> {
    let model = instance(&access, &path, Action::InstancesAccessed).await?;
    let mut ranges = accept::ranges(&request).into_iter();
    let range = ranges.find(|range| range.holds(OCTETS)).ok_or_else(|| accept::none(OCTETS))?;
    let bytes = domain.storage.get(&model.object_key).await?;
    let key = value.tag.to_uppercase();
    let value = web::block({
        let key = key.clone();
        move || dicom::bulk_value(&bytes, &key)
    });
    let value = value.await?.map_err(unreadable)?.ok_or(ApiError::NotFound("bulk data"))?;
    let bytes = Bytes::from(value);
    if range.multipart == Some(false) {
        return Ok(HttpResponse::Ok().content_type(OCTETS).body(bytes));
    }
    let address = place(&request, access.state()).instance(&model);
    let part = Part {
        content_type: format!("{OCTETS}; transfer-syntax={EXPLICIT}"),
        location: format!("{address}/bulkdata/{key}"),
        bytes,
    };
    let making: Making = async move { Ok(part) }.boxed_local();
    parts::related(OCTETS, std::iter::once(making)).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn frames_are_counted_from_one() {
        assert_eq!(numbers("3,1").unwrap(), [3, 1]);
        for bad in ["", "0", "1,", "1-3", "-1", "x"] {
            assert!(numbers(bad).is_err(), "{bad}");
        }
        assert!(numbers(&vec!["1"; MOST_FRAMES + 1].join(",")).is_err());
    }
}
