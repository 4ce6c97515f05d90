//! The desk over real files and records, and what viewers then find.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use skiagraph_compliance::audit::Signer;
use skiagraph_compliance::role::Role;
use skiagraph_engine::dicom;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::audit::Actor;
use crate::entities::audit_events;
use crate::intake::{self, Janitor, Limits};
use crate::models::instances::{self, Column, Criterion, Reader, Test};
use crate::models::users::NewUser;
use crate::models::{self, uploads};
use crate::testing::{Place, radiographs};

/// A desk whose objects belong to `keeper`, who may have a role or none.
async fn desk(place: &Place, roles: &[Role]) -> Desk {
    let new =
        NewUser { username: "keeper", display_name: "Keeper", password_hash: String::new(), roles };
    models::users::insert(&place.db, new).await.unwrap();
    Desk {
        db: place.db.clone(),
        folders: place.folders.clone(),
        signer: Signer::new(&[7; 32]),
        janitor: Janitor::new(place.db.clone(), place.storage.clone()),
        limits: Limits::default(),
        examiner: Arc::new(intake::examiner(&[7; 32]).unwrap()),
        pseudonym_key: Arc::new([7; 32]),
        user: "keeper".to_owned(),
    }
}

fn sender() -> Sender {
    Sender { actor: Actor::claimed("ae:ARCHIVE", None), upload: None }
}

async fn take(desk: &Desk, sender: &mut Sender, object: &[u8]) -> Kept {
    let file = desk.folders.root().join("spooled");
    std::fs::write(&file, object).unwrap();
    desk.take(sender, file, object.len() as u64).await.unwrap()
}

async fn events(place: &Place) -> Vec<(String, String, Value)> {
    let rows = audit_events::Entity::find().all(&place.db).await.unwrap();
    let read = |row: audit_events::Model| {
        (row.action, row.outcome, serde_json::from_str(&row.detail).unwrap())
    };
    rows.into_iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_one_sender_are_one_upload() {
    let place = Place::new().await;
    let desk = desk(&place, &[Role::MlEngineer]).await;
    let mut first = sender();
    for object in radiographs(3) {
        assert!(matches!(take(&desk, &mut first, &object).await, Kept::Yes));
    }
    let mut second = sender();
    assert!(matches!(take(&desk, &mut second, &radiographs(4)[3]).await, Kept::Yes));
    let (all, total) = uploads::list(&place.db, 0, 10).await.unwrap();
    assert_eq!(total, 2);
    assert_eq!((all[1].radiograph_count, all[0].radiograph_count), (3, 1));
    let of_upload = models::radiographs::Filter { upload_id: Some(&all[1].id), check_state: None };
    let radiographs = models::radiographs::list(&place.db, &of_upload, 0, 10).await.unwrap();
    assert_eq!(radiographs.1, 3);
    let reports = std::fs::read_dir(desk.folders.root().join("objects/deidentification"));
    assert_eq!(reports.unwrap().count(), 4, "a report an object");
    let events = events(&place).await;
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|(action, outcome, detail)| {
        action == "import" && outcome == "success" && detail["by"] == "c_store"
    }));
    // The log says of each object whether somebody has to look, as the records do.
    let told: u64 = events.iter().map(|(_, _, detail)| detail["doubted"].as_u64().unwrap()).sum();
    let pending = models::radiographs::Filter { upload_id: None, check_state: Some("pending") };
    let (_, pending) = models::radiographs::list(&place.db, &pending, 0, 10).await.unwrap();
    assert!(told > 0, "pictures that are no chest are doubted");
    assert_eq!(told, pending);
    assert_eq!(std::fs::read_dir(desk.folders.scratch()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_uploads_refuse_is_refused() {
    let place = Place::new().await;
    let desk = desk(&place, &[Role::MlEngineer]).await;
    let object = radiographs(1).swap_remove(0);
    let frame = crate::testing::frame(0.7);
    let synthetic =
        dicom::write_synthetic(&frame, &dicom::SyntheticDescription::default()).unwrap();
    let archive = b"PK\x03\x04 and more".to_vec();
    for bad in [synthetic, object[..object.len() - 100].to_vec(), archive, Vec::new()] {
        assert!(matches!(take(&desk, &mut sender(), &bad).await, Kept::Refused(_)));
    }
    let small = Desk { limits: Limits { file_bytes: 100, ..Limits::default() }, ..desk.clone() };
    assert!(matches!(take(&small, &mut sender(), &object).await, Kept::TooLarge));
    let events = events(&place).await;
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|(_, outcome, _)| outcome == "failure"));
    assert_eq!(uploads::list(&place.db, 0, 10).await.unwrap().1, 0);
    assert_eq!(rows(&place).await, 0);
}

async fn rows(place: &Place) -> u64 {
    crate::entities::instances::Entity::find().count(&place.db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_user_nothing_is_kept() {
    let place = Place::new().await;
    let desk = desk(&place, &[Role::Clinician]).await;
    let object = radiographs(1).swap_remove(0);
    assert!(matches!(take(&desk, &mut sender(), &object).await, Kept::NobodysUpload));
    let nobody = Desk { user: "nobody".to_owned(), ..desk };
    assert!(matches!(take(&nobody, &mut sender(), &object).await, Kept::NobodysUpload));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_filled_from_the_objects_and_searched() {
    let place = Place::new().await;
    place.upload(3).await;
    let made = rows(&place).await;
    assert_eq!(made, 3);
    // As it was before there was an index.
    crate::entities::instances::Entity::delete_many().exec(&place.db).await.unwrap();
    let running = CancellationToken::new();
    assert_eq!(fill(&place.db, &place.storage, &running).await.unwrap(), 3);
    assert_eq!(fill(&place.db, &place.storage, &running).await.unwrap(), 0);

    let engineer = Reader { user_id: "u".to_owned(), radiographs: true };
    let clinician = Reader { radiographs: false, ..engineer.clone() };
    let all = instances::find(&place.db, &engineer, &[], 0, 10).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(instances::find(&place.db, &clinician, &[], 0, 10).await.unwrap().is_empty());
    let attributes: Value = serde_json::from_str(&all[0].attributes).unwrap();
    assert_eq!(attributes["00080060"]["Value"], json!(["DX"]));

    let search = async |column, test| {
        let criteria = [Criterion { column, test }];
        let by = Column::StudyInstanceUid;
        instances::groups(&place.db, &engineer, &criteria, by, 0, 10).await.unwrap().len()
    };
    let id = all[0].patient_id.clone().unwrap();
    assert_eq!(search(Column::PatientId, Test::Like(id.to_uppercase())).await, 1);
    assert_eq!(search(Column::PatientId, Test::Like(format!("{}%", &id[..1]))).await, 3);
    assert_eq!(search(Column::PatientId, Test::Like("\\%".to_owned())).await, 0);
    assert_eq!(search(Column::Modality, Test::SomeInStudy("CT".to_owned())).await, 0);
    let study = all[0].study_instance_uid.clone();
    assert_eq!(search(Column::StudyInstanceUid, Test::AnyOf(vec![study.clone()])).await, 1);
    // Drawn radiographs have no date.
    assert_eq!(search(Column::StudyDate, Test::Between(None, None)).await, 0);
    crate::entities::instances::Entity::update_many()
        .col_expr(Column::StudyDate, Expr::value("20260102"))
        .exec(&place.db)
        .await
        .unwrap();
    let day = Some("20260102".to_owned());
    assert_eq!(search(Column::StudyDate, Test::Between(day.clone(), None)).await, 3);
    assert_eq!(search(Column::StudyDate, Test::Between(None, Some("0".to_owned()))).await, 0);
    let group = &instances::groups(&place.db, &engineer, &[], Column::StudyInstanceUid, 1, 1)
        .await
        .unwrap()[0];
    assert_eq!(
        (group.series, group.instances, group.modalities.as_slice()),
        (1, 1, &["DX".to_owned()][..])
    );
    let (series, uid) = (&all[0].series_instance_uid, &all[0].sop_instance_uid);
    assert!(instances::get(&place.db, &engineer, &study, series, uid).await.unwrap().is_some());
    assert!(instances::get(&place.db, &engineer, "1.2", series, uid).await.unwrap().is_none());
    assert!(instances::get(&place.db, &clinician, &study, series, uid).await.unwrap().is_none());
}
