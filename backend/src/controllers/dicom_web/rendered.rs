//! `GET …/rendered` and `…/thumbnail`: pictures (PS3.18 10.4.1.1.3, 10.4.1.1.4).

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Deserialize;
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom::{self, DisplayWindow, Picture, Show, WindowFunction};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    InstancePath, Pictures, SeriesPath, StudyPath, accept, event, instance, members, reader,
    unreadable,
};
use crate::auth::ClinicianOrMlEngineer;
use crate::controllers::domain::Domain;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models::instances::Model;

/// Quality of a JPEG where the client names none.
const USUAL_QUALITY: u8 = 90;
/// Pixels of a side of a picture.
const LONGEST_SIDE: u32 = 4096;
/// Pixels of a thumbnail's longer side where the client names none.
const THUMBNAIL: u32 = 256;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(rendered)
        .service(rendered_frame)
        .service(thumbnail_of_study)
        .service(thumbnail_of_series)
        .service(thumbnail_of_instance);
}

/// How a picture is to be made.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct View {
    /// `center,width,function` in the units of the object's modality values; the function is `linear`,
    /// `linear-exact` or `sigmoid`.
    window: Option<String>,
    /// `width,height` that the picture fills as far as its aspect allows, up to 4096.
    viewport: Option<String>,
    /// Quality of a JPEG, from 1 to 100.
    quality: Option<String>,
}

/// What follows the instance in the address of a frame.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct FramePath {
    /// Number of the frame
    frame: String,
}

/// The first frame of an instance as a display shows it, as JPEG or PNG.
#[utoipa::path(tag = "dicom-web", params(InstancePath, View), responses(Pictures, Refusals))]
#[get("/studies/{study}/series/{series}/instances/{instance}/rendered")]
async fn rendered(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<InstancePath>,
    view: Query<View>,
) -> Result<HttpResponse, ApiError> {
    let how = how(&request, &view.read()?, 1, None)?;
    let model = instance(&access, &path, Action::InstancesAccessed).await?;
    answer(&domain, model, how).await
}

/// A frame of an instance as a display shows it, as JPEG or PNG.
#[utoipa::path(
    tag = "dicom-web",
    params(InstancePath, FramePath, View),
    responses(Pictures, Refusals)
)]
#[get("/studies/{study}/series/{series}/instances/{instance}/frames/{frame}/rendered")]
async fn rendered_frame(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<InstancePath>,
    frame: web::Path<FramePath>,
    view: Query<View>,
) -> Result<HttpResponse, ApiError> {
    let frame = frame.frame.parse().ok().filter(|frame| *frame > 0);
    let frame = frame.ok_or_else(|| ApiError::malformed("frame", "must be a number from 1"))?;
    let how = how(&request, &view.read()?, frame, None)?;
    let model = instance(&access, &path, Action::InstancesAccessed).await?;
    answer(&domain, model, how).await
}

/// A small picture of a study: of its first instance.
#[utoipa::path(tag = "dicom-web", params(StudyPath, View), responses(Pictures, Refusals))]
#[get("/studies/{study}/thumbnail")]
async fn thumbnail_of_study(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<StudyPath>,
    view: Query<View>,
) -> Result<HttpResponse, ApiError> {
    let how = how(&request, &view.read()?, 1, Some((THUMBNAIL, THUMBNAIL)))?;
    let records = access.read(event(Action::InstancesAccessed, "study", &path.study)?).await?;
    let models = members(&records, &reader(&access), &path.study, None).await?;
    first(&domain, models, how).await
}

/// A small picture of a series: of its first instance.
#[utoipa::path(tag = "dicom-web", params(SeriesPath, View), responses(Pictures, Refusals))]
#[get("/studies/{study}/series/{series}/thumbnail")]
async fn thumbnail_of_series(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<SeriesPath>,
    view: Query<View>,
) -> Result<HttpResponse, ApiError> {
    let how = how(&request, &view.read()?, 1, Some((THUMBNAIL, THUMBNAIL)))?;
    let records = access.read(event(Action::InstancesAccessed, "series", &path.series)?).await?;
    let models = members(&records, &reader(&access), &path.study, Some(&path.series)).await?;
    first(&domain, models, how).await
}

/// A small picture of an instance.
#[utoipa::path(tag = "dicom-web", params(InstancePath, View), responses(Pictures, Refusals))]
#[get("/studies/{study}/series/{series}/instances/{instance}/thumbnail")]
async fn thumbnail_of_instance(
    access: ClinicianOrMlEngineer,
    domain: web::Data<Domain>,
    request: HttpRequest,
    path: web::Path<InstancePath>,
    view: Query<View>,
) -> Result<HttpResponse, ApiError> {
    let how = how(&request, &view.read()?, 1, Some((THUMBNAIL, THUMBNAIL)))?;
    let model = instance(&access, &path, Action::InstancesAccessed).await?;
    answer(&domain, model, how).await
}

async fn first(domain: &Domain, models: Vec<Model>, how: Show) -> Result<HttpResponse, ApiError> {
    let model = models.into_iter().next().ok_or(ApiError::NotFound("instance"))?;
    answer(domain, model, how).await
}

async fn answer(domain: &Domain, model: Model, how: Show) -> Result<HttpResponse, ApiError> {
    let bytes = domain.storage.get(&model.object_key).await?;
    let picture = web::block(move || dicom::show(&bytes, &how)).await?.map_err(unreadable)?;
    let media = match how.picture {
        Picture::Png => "image/png",
        Picture::Jpeg(_) => "image/jpeg",
    };
    Ok(HttpResponse::Ok().content_type(media).body(picture))
}

/// What a client wants to see; `viewport` is the usual one.
fn how(
    request: &HttpRequest,
    view: &View,
    frame: u32,
    viewport: Option<(u32, u32)>,
) -> Result<Show, ApiError> {
    let quality = match view.quality.as_deref() {
        None => USUAL_QUALITY,
        Some(text) => {
            let quality = text.parse().ok().filter(|quality| (1..=100).contains(quality));
            quality
                .ok_or_else(|| ApiError::malformed("quality", "must be a number from 1 to 100"))?
        }
    };
    // JPEG is what is made where both will do (PS3.18 8.7.4).
    let made = [("image/jpeg", Picture::Jpeg(quality)), ("image/png", Picture::Png)];
    let picture = accept::ranges(request).into_iter().find_map(|range| {
        let fits = |media: &str| range.multipart != Some(true) && range.holds(media);
        made.into_iter().find_map(|(media, picture)| fits(media).then_some(picture))
    });
    Ok(Show {
        frame,
        window: view.window.as_deref().map(window).transpose()?,
        viewport: match &view.viewport {
            None => viewport,
            Some(text) => Some(size(text)?),
        },
        picture: picture.ok_or_else(|| accept::none("image/jpeg and image/png"))?,
    })
}

fn window(text: &str) -> Result<DisplayWindow, ApiError> {
    let fault = || {
        let cause =
            "must be center,width,function, and the function linear, linear-exact or sigmoid";
        ApiError::malformed("window", cause)
    };
    let mut parts = text.split(',');
    let mut number = || {
        let number = parts.next().and_then(|part| part.trim().parse::<f64>().ok());
        number.filter(|number| number.is_finite()).ok_or_else(fault)
    };
    let (center, width) = (number()?, number()?);
    let function = match parts.next().unwrap_or("linear").to_lowercase().as_str() {
        "linear" => WindowFunction::Linear,
        "linear-exact" | "linear_exact" => WindowFunction::LinearExact,
        "sigmoid" => WindowFunction::Sigmoid,
        _ => return Err(fault()),
    };
    if parts.next().is_some() {
        return Err(fault());
    }
    Ok(DisplayWindow { center, width, function })
}

fn size(text: &str) -> Result<(u32, u32), ApiError> {
    let fault = || {
        let cause = format!("must be width,height from 1 to {LONGEST_SIDE}; no region is cut out");
        ApiError::malformed("viewport", cause)
    };
    let side = |part: &str| {
        part.trim().parse().ok().filter(|side| (1..=LONGEST_SIDE).contains(side)).ok_or_else(fault)
    };
    let (width, height) = text.split_once(',').ok_or_else(fault)?;
    Ok((side(width)?, side(height)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn windows_and_sizes_are_read_as_the_standard_writes_them() {
        let wide = window("2048,4096,linear").unwrap();
        assert_eq!(
            (wide.center, wide.width, wide.function),
            (2048.0, 4096.0, WindowFunction::Linear)
        );
        assert_eq!(window("-10.5,3,sigmoid").unwrap().function, WindowFunction::Sigmoid);
        for bad in ["", "1", "1,2,round", "1,2,linear,4", "nan,1,linear", "inf,1"] {
            assert!(window(bad).is_err(), "{bad}");
        }
        assert_eq!(size("512,384").unwrap(), (512, 384));
        for bad in ["", "512", "0,5", "5000,5", "5,5,1,1"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
