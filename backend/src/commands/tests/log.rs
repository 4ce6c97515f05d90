//! What is written into the audit log, and that it stays as it was written.

use futures::future::join_all;
use sea_orm::ConnectionTrait;
use skiagraph_compliance::audit::Action;

use super::*;
use crate::audit::Entry;

fn seen(log: &[(String, String)], action: Action, outcome: &str) -> usize {
    log.iter().filter(|(word, how)| word == action.word() && how == outcome).count()
}

#[actix_web::test]
async fn refusals_and_failed_logins_are_logged() {
    let house = House::new().await;
    let token = house.user("clara", &[Role::Clinician]).await;
    assert_eq!(house.login("clara", "wrong").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.login("hunter2 in the wrong field", "x").await.status, 401);
    assert_eq!(house.get("/api/v1/users", Some(&token)).await.status, StatusCode::FORBIDDEN);
    let log = house.log().await;
    assert_eq!(seen(&log, Action::Login, "failure"), 2);
    assert_eq!(seen(&log, Action::RestrictedFunction, "refused"), 1);
    let rows = models::audit::after(&house.platform.db, None).await.unwrap();
    assert!(!format!("{rows:?}").contains("hunter2"), "what may be a password was written down");
}

#[actix_web::test]
async fn reading_the_log_is_logged() {
    let house = House::new().await;
    let token = house.user("otto", &[Role::Auditor]).await;
    let before = seen(&house.log().await, Action::AuditLogUsed, "success");
    let events = house.get("/api/v1/audit/events?page_size=2&outcome=success", Some(&token)).await;
    assert_eq!(events.body["items"].as_array().unwrap().len(), 2, "{}", events.text);
    let csv = house.get("/api/v1/audit/export?format=csv", Some(&token)).await;
    assert!(csv.text.starts_with("sequence,recorded_at,"), "{}", csv.text);
    let verdict = house.post("/api/v1/audit/verify", Some(&token), &json!({})).await;
    assert_eq!(verdict.body["intact"], true, "{}", verdict.text);
    assert_eq!(seen(&house.log().await, Action::AuditLogUsed, "success"), before + 3);
    let bad = house.get("/api/v1/audit/events?outcome=perhaps&from=then", Some(&token)).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.body["errors"].as_array().unwrap().len(), 2, "{}", bad.text);
}

#[actix_web::test]
async fn a_change_and_its_event_are_one() {
    let house = House::new().await;
    let before = house.log().await.len();
    let change = house.state.ledger.change(Actor::system("test")).await.unwrap();
    let new = models::users::NewUser {
        username: "ghost",
        display_name: "Ghost",
        password_hash: String::new(),
        roles: &[Role::Admin],
    };
    models::users::insert(change.db(), new).await.unwrap();
    change.note(Entry::new(Action::UserCreated, "user")).await.unwrap();
    drop(change);
    assert_eq!(models::users::count(&house.platform.db).await.unwrap(), 0);
    assert_eq!(house.log().await.len(), before);
    house.newcomer("real", &[Role::Admin]).await;
    assert_eq!(models::users::count(&house.platform.db).await.unwrap(), 1);
    assert_eq!(house.log().await.len(), before + 1);
}

#[actix_web::test]
async fn appends_at_once_keep_the_chain_whole() {
    let house = House::new().await;
    let before = house.log().await.len();
    let appends = (0..40).map(|number| {
        let ledger = house.state.ledger.clone();
        actix_web::rt::spawn(async move {
            let entry = Entry::new(Action::Query, "image").detail("number", number);
            ledger.record(&Actor::system("test"), entry).await
        })
    });
    for appended in join_all(appends).await {
        appended.unwrap().unwrap();
    }
    assert_eq!(house.log().await.len(), before + 40);
    assert!(house.is_intact().await);
}

#[actix_web::test]
async fn the_database_refuses_and_what_gets_past_it_is_found() {
    let house = House::new().await;
    house.user("otto", &[Role::Auditor]).await;
    let db = &house.platform.db;
    for refused in [
        "UPDATE audit_events SET actor_name = 'x' WHERE sequence = 1",
        "DELETE FROM audit_events WHERE sequence = 1",
        "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events WHERE sequence = 1",
        "UPDATE audit_head SET sequence = 0",
        "DELETE FROM audit_head",
    ] {
        assert!(db.execute_unprepared(refused).await.is_err(), "{refused}");
    }
    assert!(house.is_intact().await);
    db.execute_unprepared("DROP TRIGGER audit_events_no_delete").await.unwrap();
    db.execute_unprepared(
        "DELETE FROM audit_events WHERE sequence = (SELECT max(sequence) FROM audit_events)",
    )
    .await
    .unwrap();
    assert!(!house.is_intact().await, "a cut end was not found");
}
