//! Planted violations: each wall must be able to fail.

use super::rules::{Tree, broken};

const TABLE: &str = "\
//! | floor | rooms |
//! |---|---|
//! | 1 | [`device`], [`kernel`] |
//! | 2 | [`nn`], [`dicom`] |
//! | 6 | [`train`] |
//! | 8 | the command line, `main` |
pub mod device;
pub mod kernel;
pub mod nn;
pub mod dicom;
pub mod train;
";

/// Plants one file into a sound little project; returns the faults.
fn plant(path: &str, text: &str) -> Vec<String> {
    let mut tree = Tree::from([("engine/src/lib.rs".to_owned(), TABLE.to_owned())]);
    tree.insert(path.to_owned(), text.to_owned());
    broken(&tree)
}

fn check(path: &str, text: &str, expected: &str) {
    let faults = plant(path, text);
    assert_eq!(faults.len(), 1, "{path}: {text}\n{faults:?}");
    assert!(faults[0].contains(expected), "{faults:?}");
}

fn check_sound(path: &str, text: &str) {
    assert_eq!(plant(path, text), Vec::<String>::new(), "{path}: {text}");
}

#[test]
fn a_room_that_looks_up() {
    check("engine/src/nn/linear.rs", "use crate::train::run;", "`nn` names `train`");
    check("engine/src/nn/linear.rs", "fn f() { crate::train::run() }", "`nn` names `train`");
    check(
        "engine/src/nn/linear.rs",
        "use crate::{device::Device, train::run};",
        "`nn` names `train`",
    );
    check("engine/src/nn/linear.rs", "use super::super::train;", "`nn` names `train`");
    check("engine/src/nn/mod.rs", "use super::train::{self, run as go};", "`nn` names `train`");
    check_sound("engine/src/train/mod.rs", "use crate::{nn, device::{A, B}}; use super::dicom;");
}

#[test]
fn a_room_that_looks_at_its_neighbour() {
    check("engine/src/dicom/read.rs", "use crate::nn::Linear;", "`dicom` names `nn` of floor 2");
    check_sound("engine/src/dicom/read.rs", "use crate::dicom::Frame; use crate::device;");
}

#[test]
fn words_that_only_look_like_paths() {
    check_sound(
        "engine/src/nn/a.rs",
        "// use crate::train::run;\n/* crate::train */ const A: &str = \"crate::train::run unsafe\";",
    );
    check_sound(
        "engine/src/nn/b.rs",
        "const A: &str = r#\"crate::train::\"run\"#; const B: char = '\"'; fn f<'a>(x: &'a str) {}",
    );
    check_sound(
        "engine/src/nn/mod.rs",
        "mod train { } #[cfg(test)] mod tests { use super::train::x; }",
    );
}

#[test]
fn a_room_on_no_floor() {
    check("engine/src/lib.rs", &format!("{TABLE}pub mod attic;"), "`attic` stands on no floor");
    check("backend/src/lib.rs", "pub mod cellar;", "`cellar` stands on no floor");
}

#[test]
fn unsafe_outside_the_kernels() {
    check("engine/src/nn/a.rs", "fn f() { unsafe { g() } }", "`unsafe` outside");
    check("backend/src/auth/a.rs", "#![allow(unsafe_code)]", "`unsafe` outside");
    check_sound("engine/src/kernel/a.rs", "fn f() { unsafe { g() } }");
}

#[test]
fn dicom_rs_outside_its_room() {
    check("engine/src/train/a.rs", "use dicom_object::InMemDicomObject;", "names dicom-rs");
    check("backend/src/jobs/a.rs", "fn f() { dicom_core::x(); }", "names dicom-rs");
    check_sound("engine/src/dicom/a.rs", "use dicom_core::Tag;");
}

#[test]
fn credentials_outside_their_room() {
    check("engine/src/verify/a.rs", "use c2pa::Reader;", "names c2pa or rcgen outside");
    check(
        "backend/src/marking.rs",
        "fn f() { rcgen::KeyPair::generate(); }",
        "names c2pa or rcgen",
    );
    check_sound("engine/src/credential/a.rs", "use c2pa::Reader; use rcgen::KeyPair;");
}

#[test]
fn http_outside_the_hub() {
    check("engine/src/model/a.rs", "use reqwest::blocking::get;", "speaks HTTP outside");
    check_sound("engine/src/hub/a.rs", "fn f() { reqwest::blocking::get(\"\"); }");
}

#[test]
fn the_ladder_of_the_backend() {
    check(
        "backend/src/models/a.rs",
        "use crate::controllers::users;",
        "`models` names `controllers`",
    );
    check("backend/src/error.rs", "use crate::models::users;", "`error` names `models`");
    check(
        "backend/src/controllers/a.rs",
        "use crate::router::routes;",
        "`controllers` names `router`",
    );
    check("backend/src/views/a.rs", "use crate::jobs::work;", "`views` names `jobs`");
    check("backend/src/jobs/a.rs", "use candle_core::Tensor;", "the backend names tensors");
    check_sound(
        "backend/src/controllers/a.rs",
        "use crate::{auth::Admin, views::UserView, models::users};",
    );
}

#[test]
fn migrations_run_elsewhere() {
    check("backend/src/state.rs", "use skiagraph_migrations::Migrator;", "backend's main alone");
    check("migrations/src/a.rs", "use skiagraph_engine::data;", "migrations know SQL alone");
    check_sound("backend/src/main.rs", "use skiagraph_migrations::Migrator;");
}

#[test]
fn compliance_in_the_world() {
    check("compliance/src/audit.rs", "use std::fs::File;", "`std::fs`");
    check("compliance/src/audit.rs", "fn f() { chrono::Utc::now(); }", "`Utc::now`");
    check_sound("compliance/src/audit.rs", "use chrono::{DateTime, Utc};");
}

#[test]
fn dependencies_through_the_walls() {
    let manifest = |name: &str| format!("[dependencies]\n{name}.workspace = true\n");
    check("compliance/Cargo.toml", &manifest("tokio"), "`tokio`");
    check("engine/Cargo.toml", &manifest("actix-web"), "`actix-web`");
    check(
        "engine/Cargo.toml",
        "[dependencies]\nskiagraph = { path = \"../backend\" }",
        "`skiagraph`",
    );
    check("backend/Cargo.toml", &manifest("candle-core"), "`candle-core`");
    check("migrations/Cargo.toml", &manifest("skiagraph-engine"), "`skiagraph-engine`");
    check("tests/Cargo.toml", &format!("[dev-{}", &manifest("skiagraph")[1..]), "`skiagraph`");
    check_sound("engine/Cargo.toml", &manifest("skiagraph-compliance"));
    check_sound("backend/Cargo.toml", "[dev-dependencies]\ndicom-core.workspace = true\n");
}

#[test]
fn a_file_without_end() {
    check("web/src/app.ts", &"\n".repeat(501), "501 lines");
    check_sound("web/src/app.ts", &"\n".repeat(500));
}
