//! The audit log: its export verifies, every change of the file is found, no patient is in it.

use std::path::Path;

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, Row};

use crate::harness::objects::{PLANTED, objects};
use crate::harness::store::database;
use crate::harness::{Server, Session};

/// A platform on which something has happened, and its auditor.
async fn lived_in() -> (Server, Session) {
    let server = Server::start().await;
    let engineer = server.user(&["ml_engineer"]).await;
    engineer.uploaded(objects()).await;
    engineer.upload(vec![("x.dcm".to_owned(), b"no radiograph".to_vec())]).await;
    let auditor = server.user(&["auditor"]).await;
    (server, auditor)
}

#[tokio::test]
async fn the_log_is_whole_and_says_who_did_what() {
    let (server, auditor) = lived_in().await;
    let (status, verdict) = auditor.post("/audit/verify", &json!({})).await;
    assert_eq!((status, &verdict["intact"]), (200, &json!(true)), "{verdict}");
    assert!(verdict["checked"].as_u64() > Some(10), "{verdict}");

    let (_, imports) = auditor.get("/audit/events?action=import&page_size=200").await;
    assert!(imports["total"].as_u64() >= Some(1), "{imports}");
    let (_, all) = auditor.get("/audit/events?page_size=200").await;
    for member in ["sequence", "recorded_at", "actor_name", "action", "outcome", "hash"] {
        let event = &all["items"][0];
        assert!(!event[member].is_null(), "{member}: {event}");
    }

    // Who reads or exports the log stands in it as well.
    let before = all["total"].as_u64().unwrap();
    let exported = auditor.bytes("/audit/export?format=csv").await;
    let exported = String::from_utf8(exported).unwrap();
    assert!(exported.lines().count() as u64 > before, "{exported}");
    let (_, after) = auditor.get("/audit/events").await;
    assert!(after["total"].as_u64().unwrap() >= before + 2);

    // The command line agrees, on the log and on its export.
    let file = server.data.join("export.csv");
    let (code, words) = server.command(&["audit", "export", "--out", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{words}");
    let (code, words) = server.command(&["audit", "verify"]);
    assert_eq!(code, 0, "{words}");
}

#[tokio::test]
async fn an_export_is_verified_by_itself_and_one_letter_of_it_is_found() {
    let (server, _) = lived_in().await;
    let (code, pem) = server.command(&["audit", "public-key"]);
    assert_eq!(code, 0, "{pem}");
    // What the command says in its log stands around the key.
    let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
    let pem = &pem[pem.find(begin).unwrap()..pem.find(end).unwrap() + end.len()];
    // Far from the data directory: nothing but these two files is asked.
    let elsewhere = tempfile::tempdir().unwrap();
    let (key, file) = (elsewhere.path().join("key.pem"), elsewhere.path().join("export"));
    std::fs::write(&key, pem).unwrap();
    let paths = [file.to_str().unwrap(), key.to_str().unwrap()];
    for format in ["csv", "jsonl", "atna-xml", "atna-xml-early", "balp"] {
        let export = ["audit", "export", "--format", format, "--out", paths[0]];
        let (code, words) = server.command(&export);
        assert_eq!(code, 0, "{words}");
        let verify = ["audit", "verify", "--export", paths[0], "--public-key", paths[1]];
        let (code, words) = server.command(&verify);
        assert_eq!(code, 0, "{format}: {words}");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen('Z', "Y", 1)).unwrap();
        let (code, words) = server.command(&verify);
        assert_eq!(code, 1, "{format}: {words}");
        assert!(words.contains("broken at sequence"), "{format}: {words}");
    }
}

#[tokio::test]
async fn no_patient_is_in_the_log() {
    let (server, auditor) = lived_in().await;
    let engineer = server.user(&["ml_engineer"]).await;
    let (_, list) = engineer.get("/radiographs?page_size=200").await;
    assert!(!list.to_string().contains(PLANTED), "the API shows a patient's name");
    let exported = auditor.bytes("/audit/export?format=csv").await;
    for (what, text) in
        [("the export", String::from_utf8_lossy(&exported).into_owned()), ("the log", server.log())]
    {
        assert!(!text.contains(PLANTED), "{what} holds a patient's name");
        assert!(!text.contains("x.dcm"), "{what} holds a file's name");
    }
}

/// Runs SQL against the log behind the platform's back, its triggers dropped.
async fn tamper(data: &Path, statements: &[&str]) {
    let database = database(data).await;
    let triggers = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'trigger'");
    for row in triggers.fetch_all(&database).await.unwrap() {
        let name: String = row.get(0);
        database.execute(AssertSqlSafe(format!("DROP TRIGGER \"{name}\""))).await.unwrap();
    }
    for statement in statements {
        let done = database.execute(AssertSqlSafe((*statement).to_owned())).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
    }
    database.close().await;
}

/// After these statements `audit verify` exits 1 and names row `sequence` (the last one of the file
/// where it is `None`); the API as well.
async fn check_found(statements: &[&str], sequence: Option<i64>) {
    let (server, auditor) = lived_in().await;
    tamper(&server.data, statements).await;
    let database = database(&server.data).await;
    let last = sqlx::query("SELECT max(sequence) FROM audit_events").fetch_one(&database).await;
    let sequence = sequence.unwrap_or_else(|| last.unwrap().get(0));
    database.close().await;
    let (code, words) = server.command(&["audit", "verify"]);
    assert_eq!(code, 1, "{statements:?}: {words}");
    let names = words.split(|c: char| !c.is_ascii_digit()).any(|word| word == sequence.to_string());
    assert!(names, "{statements:?}: row {sequence} is not named: {words}");
    let (_, verdict) = auditor.post("/audit/verify", &json!({})).await;
    assert_eq!(verdict["intact"], false, "{verdict}");
    assert_eq!(verdict["first_broken"]["sequence"], sequence, "{verdict}");
}

#[tokio::test]
async fn one_byte_of_one_row() {
    check_found(
        &["UPDATE audit_events SET actor_name = actor_name || 'x' WHERE sequence = 5"],
        Some(5),
    )
    .await;
}

#[tokio::test]
async fn every_column_counts() {
    let (server, _) = lived_in().await;
    let database_of = database(&server.data).await;
    let columns = sqlx::query("SELECT name FROM pragma_table_info('audit_events')");
    let columns: Vec<String> =
        columns.fetch_all(&database_of).await.unwrap().iter().map(|row| row.get(0)).collect();
    database_of.close().await;
    tamper(&server.data, &[]).await;
    for column in columns.iter().filter(|column| *column != "sequence") {
        let database = database(&server.data).await;
        let select =
            format!("SELECT CAST(\"{column}\" AS TEXT) FROM audit_events WHERE sequence = 4");
        let row = sqlx::query(AssertSqlSafe(select)).fetch_one(&database).await.unwrap();
        let old: Option<String> = row.get(0);
        let set = |value: Option<String>| {
            sqlx::query(AssertSqlSafe(format!(
                "UPDATE audit_events SET \"{column}\" = ? WHERE sequence = 4"
            )))
            .bind(value)
        };
        let changed = old.clone().map_or_else(|| "x".to_owned(), |old| format!("{old}0"));
        set(Some(changed)).execute(&database).await.unwrap();
        let (code, words) = server.command(&["audit", "verify"]);
        assert_eq!(code, 1, "a change of {column} was not found: {words}");
        set(old).execute(&database).await.unwrap();
        database.close().await;
    }
    let (code, words) = server.command(&["audit", "verify"]);
    assert_eq!(code, 0, "after everything was put back: {words}");
}

#[tokio::test]
async fn a_row_that_is_gone() {
    check_found(&["DELETE FROM audit_events WHERE sequence = 6"], Some(6)).await;
}

#[tokio::test]
async fn a_row_that_was_slipped_in() {
    let copy = "INSERT INTO audit_events SELECT (SELECT max(sequence) + 1 FROM audit_events), recorded_at, actor_id, actor_name, actor_roles, action, object_type, object_id, outcome, detail, source_address, previous_hash, hash FROM audit_events WHERE sequence = 3";
    check_found(&[copy], None).await;
}

#[tokio::test]
async fn rows_that_changed_places() {
    check_found(
        &[
            "UPDATE audit_events SET sequence = -1 WHERE sequence = 4",
            "UPDATE audit_events SET sequence = 4 WHERE sequence = 5",
            "UPDATE audit_events SET sequence = 5 WHERE sequence = -1",
        ],
        Some(4),
    )
    .await;
}

#[tokio::test]
async fn the_database_itself_refuses() {
    let (server, auditor) = lived_in().await;
    let database = database(&server.data).await;
    for statement in [
        "UPDATE audit_events SET actor_name = 'x' WHERE sequence = 2",
        "DELETE FROM audit_events WHERE sequence = 2",
    ] {
        assert!(database.execute(statement).await.is_err(), "{statement}");
    }
    let answer = auditor.request(Method::DELETE, "/audit/events").send().await.unwrap();
    assert!([404, 405].contains(&answer.status().as_u16()));
}
