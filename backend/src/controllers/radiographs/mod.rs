//! Radiographs as they were sent.

mod decision;
mod file;
mod get;
mod list;
mod rendered;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::models::check_state::CheckState;
use crate::views::uploads::RadiographView;

/// The endpoints.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list::list)
        .service(get::get)
        .service(file::file)
        .service(rendered::rendered)
        .service(decision::decide);
}

/// A radiograph's record on the wire.
fn view(model: crate::entities::radiographs::Model) -> RadiographView {
    RadiographView {
        id: model.id,
        upload_id: model.upload_id,
        sha256: model.sha256,
        sop_instance_uid: model.sop_instance_uid,
        patient_pseudonym: model.patient_pseudonym,
        modality: model.modality,
        view_position: model.view_position,
        laterality: model.laterality,
        age_years: model.age_years.map(|years| years as f32),
        sex: model.sex,
        findings: serde_json::from_value(model.findings).unwrap_or_default(),
        rows: model.rows.unsigned_abs(),
        columns: model.columns.unsigned_abs(),
        bits_stored: model.bits_stored as u16,
        synthetic: model.synthetic,
        doubts: serde_json::from_value(model.doubts).unwrap_or_default(),
        // Nothing else is ever written.
        check_state: CheckState::parse(&model.check_state).unwrap_or(CheckState::Pending),
        decided_by: model.decided_by,
        decided_at: model.decided_at,
    }
}
