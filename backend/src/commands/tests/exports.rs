//! Exports of the log: each form comes out whole, is signed, and is verified without the database.

use sea_orm::ConnectionTrait;
use skiagraph_compliance::audit::{
    Action, Break, Cause, Event, ExportVerifier, Form, INTERVAL, PublicKey, Report, hash,
};

use super::*;
use crate::audit::Entry;

/// The auditor's token on a platform with a little history.
async fn lived_in(house: &House) -> String {
    let token = house.user("otto", &[Role::Auditor]).await;
    house.login("otto", "wrong").await;
    for _ in 0..3 {
        house.get("/api/v1/audit/events?action=login", Some(&token)).await;
    }
    token
}

async fn public_key(house: &House, token: &str) -> PublicKey {
    let pem = house.get("/api/v1/audit/public-key", Some(token)).await;
    assert_eq!(pem.status, StatusCode::OK, "{}", pem.text);
    PublicKey::from_pem(&pem.text).unwrap()
}

fn verified(export: &str, key: &PublicKey) -> Report {
    let mut verifier = ExportVerifier::new(key.clone());
    for line in export.split_inclusive('\n') {
        verifier.line(line).unwrap();
    }
    verifier.finish().unwrap()
}

#[actix_web::test]
async fn every_form_is_signed_and_verified_without_the_database() {
    let house = House::new().await;
    let token = lived_in(&house).await;
    let key = public_key(&house, &token).await;
    for form in Form::ALL {
        let path = format!("/api/v1/audit/export?format={}", form.word());
        let whole = house.get(&path, Some(&token)).await;
        assert_eq!(whole.status, StatusCode::OK, "{}", whole.text);
        let media = whole.headers.get("content-type").unwrap().to_str().unwrap();
        assert_eq!(media, form.media_type());
        let report = verified(&whole.text, &key);
        assert_eq!((report.first_broken, report.whole), (None, true), "{form:?}");
        assert_eq!(report.checked as usize, house.log().await.len(), "{form:?}");
        assert!(report.signatures.good >= 1);

        let some = house.get(&format!("{path}&action=audit_log_used"), Some(&token)).await;
        let report = verified(&some.text, &key);
        assert_eq!((report.first_broken, report.whole), (None, false), "{form:?}");
        assert!(report.checked > 4, "{form:?}: {}", some.text);

        // One row less is named by its number.
        let rows: Vec<&str> = some.text.split_inclusive('\n').collect();
        let kept: String =
            rows.iter().enumerate().filter(|(place, _)| *place != 2).map(|(_, row)| *row).collect();
        let cause = verified(&kept, &key).first_broken.map(|found| found.cause);
        assert_eq!(cause, Some(Cause::Missing), "{form:?}");
    }
    assert!(house.is_intact().await);
    let bad = house.get("/api/v1/audit/export?format=pdf", Some(&token)).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[actix_web::test]
async fn an_export_of_nothing_still_says_so_under_a_signature() {
    let house = House::new().await;
    let token = lived_in(&house).await;
    let key = public_key(&house, &token).await;
    let none = house.get("/api/v1/audit/export?actor=nobody", Some(&token)).await;
    let report = verified(&none.text, &key);
    assert_eq!((report.first_broken, report.whole, report.checked), (None, false, 1));
}

#[actix_web::test]
async fn an_export_says_what_was_asked_and_not_what_was_typed() {
    let house = House::new().await;
    let token = lived_in(&house).await;
    house.get("/api/v1/audit/export?format=balp&actor=typed-by-hand", Some(&token)).await;
    let rows = models::audit::after(&house.platform.db, None).await.unwrap();
    let details: Vec<_> = rows.iter().map(|row| row.detail.as_str()).collect();
    let details = details.join("\n");
    assert!(details.contains("\"narrowed_by\":[\"actor\"]"), "{details}");
    assert!(!details.contains("typed-by-hand"), "{details}");
}

#[actix_web::test]
async fn a_log_is_signed_by_the_way_and_a_rewritten_one_is_found() {
    let house = House::new().await;
    let token = lived_in(&house).await;
    let actor = Actor::system("test");
    while (house.log().await.len() as i64) < INTERVAL + 3 {
        let entry = Entry::new(Action::Query, "image");
        house.state.ledger.record(&actor, entry).await.unwrap();
    }
    let checkpoint = models::audit::row(&house.platform.db, INTERVAL).await.unwrap().unwrap();
    assert_eq!(checkpoint.action, Action::Checkpoint.word());
    let verdict = house.post("/api/v1/audit/verify", Some(&token), &json!({})).await;
    assert_eq!(verdict.body["intact"], true, "{}", verdict.text);
    assert_eq!(verdict.body["signatures"]["good"], 1, "{}", verdict.text);
    assert_eq!(verdict.body["signatures"]["through"], INTERVAL - 1, "{}", verdict.text);
    forge(&house).await;
    let verdict = audit::verify(&house.platform.db, house.state.ledger.public_key()).await.unwrap();
    assert_eq!(verdict.first_broken, Some(Break { sequence: 1, cause: Cause::Rewritten }));
}

/// Rewrites row 5 and makes every hash after it anew, the head's as well: all that can be done without
/// the key.
async fn forge(house: &House) {
    let db = &house.platform.db;
    for trigger in ["audit_events_no_update", "audit_head_forward"] {
        db.execute_unprepared(&format!("DROP TRIGGER {trigger}")).await.unwrap();
    }
    let mut rows: Vec<Event> =
        all(house).await.into_iter().filter(|event| event.sequence >= 4).collect();
    rows[1].actor_name = "nobody".to_owned();
    for place in 1..rows.len() {
        rows[place].previous_hash = rows[place - 1].hash.clone();
        rows[place].hash = hash(&rows[place]);
        let Event { sequence, actor_name, previous_hash, hash, .. } = &rows[place];
        let change = format!(
            "UPDATE audit_events SET actor_name = '{actor_name}', \
             previous_hash = '{previous_hash}', hash = '{hash}' WHERE sequence = {sequence}"
        );
        db.execute_unprepared(&change).await.unwrap();
    }
    let head = &rows[rows.len() - 1].hash;
    db.execute_unprepared(&format!("UPDATE audit_head SET hash = '{head}'")).await.unwrap();
}

async fn all(house: &House) -> Vec<Event> {
    let rows = models::audit::after(&house.platform.db, None).await.unwrap();
    rows.into_iter().map(Event::from).collect()
}
