//! `GET /radiographs/{id}/rendered`

use actix_web::{HttpResponse, get, web};
use skiagraph_compliance::audit::Action;
use skiagraph_engine::dicom;

use crate::audit::Entry;
use crate::auth::MlEngineer;
use crate::controllers::domain::Domain;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::checks::Checks;
use crate::views::uploads::Window;

/// A radiograph as PNG, as a display would show it, through a window where one is given.
#[utoipa::path(
    tag = "radiographs",
    params(("id" = String, Path, description = "Identifier"), Window),
    responses(
        (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/png"),
        Refusals,
    ),
)]
#[get("/radiographs/{id}/rendered")]
pub(super) async fn rendered(
    access: MlEngineer,
    domain: web::Data<Domain>,
    id: web::Path<String>,
    window: Query<Window>,
) -> Result<HttpResponse, ApiError> {
    let window = checked(&window.read()?)?;
    let records = access.read(Entry::of(Action::InstancesAccessed, "radiograph", &id)).await?;
    let radiograph = models::radiographs::get(records.db(), &id)
        .await?
        .ok_or(ApiError::NotFound("radiograph"))?;
    let bytes = domain.storage.get(&radiograph.object_key).await?;
    let png = web::block(move || dicom::render_png(&dicom::read(&bytes)?.frame, window)).await?;
    let png = png.map_err(|error| {
        // Intake looks at headers and lengths; what only decoding can tell comes out here.
        ApiError::conflict("pixels", error.to_string())
    })?;
    Ok(HttpResponse::Ok().content_type("image/png").body(png))
}

/// A window needs both numbers.
fn checked(window: &Window) -> Result<Option<(f32, f32)>, ApiError> {
    let mut checks = Checks::new();
    let result = match (window.center, window.width) {
        (None, None) => None,
        (center, width) => {
            checks.holds(center.is_some(), "center", "is missing beside `width`");
            checks.holds(width.is_some(), "width", "is missing beside `center`");
            let (center, width) = (center.unwrap_or(0.5), width.unwrap_or(1.0));
            checks.within("center", center, &(-1.0..=2.0));
            checks.positive("width", width, 4.0);
            Some((center, width))
        }
    };
    Ok(checks.finish(result)?)
}
