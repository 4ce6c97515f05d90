//! Near copies among many radiographs, in the schema that migrations make.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryTrait, Set, Statement};
use skiagraph_engine::quality::{Fingerprint, NEAR, PARTS};

use super::*;
use crate::entities::radiographs::ActiveModel;
use crate::models::radiographs;

/// Radiographs beside those that are looked for.
const OTHERS: u64 = 3000;

/// Fingerprints without a pattern (Steele, Lea and Flood's SplitMix64).
fn noise(seed: u64) -> Fingerprint {
    let word = |number: u64| {
        let mut mixed = (4 * seed + number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        format!("{:016x}", mixed ^ (mixed >> 31))
    };
    Fingerprint::from_hex(&(0..4).map(word).collect::<String>()).unwrap()
}

/// With one bit changed in every part but `left`.
fn changed(print: Fingerprint, left: Option<usize>) -> Fingerprint {
    let mut digits: Vec<char> = print.to_hex().chars().collect();
    for part in (0..PARTS).filter(|part| Some(*part) != left) {
        let digit = Fingerprint::digits_of(part).last().unwrap();
        let value = digits[digit].to_digit(16).unwrap() ^ 1;
        digits[digit] = char::from_digit(value, 16).unwrap();
    }
    Fingerprint::from_hex(&digits.iter().collect::<String>()).unwrap()
}

fn row(number: u64) -> ActiveModel {
    ActiveModel {
        id: Set(format!("r{number}")),
        upload_id: Set("u".to_owned()),
        object_key: Set(format!("radiographs/{number}")),
        sha256: Set(format!("{number:064x}")),
        sop_instance_uid: Set(format!("1.2.{number}")),
        patient_pseudonym: Set("p".to_owned()),
        modality: Set("DX".to_owned()),
        view_position: Set(None),
        laterality: Set(None),
        age_years: Set(None),
        sex: Set(None),
        findings: Set(json!([])),
        rows: Set(64),
        columns: Set(64),
        bits_stored: Set(12),
        synthetic: Set(false),
        doubts: Set(json!([])),
        fingerprint: Set(noise(number).to_hex()),
        check_state: Set("clear".to_owned()),
        decided_by: Set(None),
        decided_at: Set(None),
    }
}

async fn plan(db: &DatabaseConnection, print: Fingerprint) -> Vec<String> {
    let backend = db.get_database_backend();
    let asked = radiographs::candidates("", print).build(backend);
    let asked = Statement::from_string(backend, format!("EXPLAIN QUERY PLAN {asked}"));
    let rows = db.query_all_raw(asked).await.unwrap();
    rows.into_iter().map(|row| row.try_get("", "detail").unwrap()).collect()
}

#[actix_web::test]
async fn near_copies_are_found_without_reading_every_radiograph() {
    let house = House::new().await;
    house.newcomer("emma", &[Role::MlEngineer]).await;
    let db = &house.platform.db;
    let user = models::users::by_name(db, "emma").await.unwrap().unwrap().row.id;
    models::uploads::insert(db, "u", "set", &user, OTHERS).await.unwrap();
    radiographs::insert(db, (0..OTHERS).map(row).collect()).await.unwrap();

    // As far from one that is there as near copies may be, however the differences lie.
    for left in 0..PARTS {
        let original = noise(left as u64 * 17);
        let copy = changed(original, Some(left));
        assert_eq!(original.distance(&copy), NEAR);
        assert!(radiographs::has_near(db, "", copy).await.unwrap(), "part {left} alone is left");
        // The very same file again is no news.
        let own = format!("{:064x}", left * 17);
        assert!(!radiographs::has_near(db, &own, copy).await.unwrap());
    }
    assert!(!radiographs::has_near(db, "", changed(noise(5), None)).await.unwrap());
    assert!(!radiographs::has_near(db, "", noise(OTHERS + 1)).await.unwrap());

    let found: Vec<String> =
        radiographs::candidates("", noise(5)).into_tuple().all(db).await.unwrap();
    assert!(found.contains(&noise(5).to_hex()) && found.len() < 20, "{} rows", found.len());
    let plan = plan(db, noise(5)).await;
    for part in 0..PARTS {
        let index = format!("SEARCH radiographs USING INDEX ix_radiographs_fingerprint_{part} ");
        assert!(plan.iter().any(|step| step.contains(&index)), "{index}: {plan:?}");
    }
    assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{plan:?}");
}
