//! Requirements and the tests that hold them: the table in `compliance/docs` against the sources.

use std::path::{Path, PathBuf};

/// What is wrong with a line of the table: a test that is not where it says.
fn faults(table: &str, root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for row in
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| requirement"))
    {
        let tests: Vec<_> = row.split('`').filter(|cell| cell.contains(".rs::")).collect();
        if tests.is_empty() {
            faults.push(format!("no test: {row}"));
        }
        for test in tests {
            let (file, function) = test.split_once("::").unwrap();
            let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            if !source.contains(&format!("fn {function}(")) {
                faults.push(format!("there is no test {test}"));
            }
        }
    }
    faults
}

/// The checkout that is looked at, also where it was moved after the build.
fn root() -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("..")
}

#[test]
fn no_requirement_without_its_test() {
    let root = root();
    let table = std::fs::read_to_string(root.join("compliance/docs/traceability.md")).unwrap();
    assert!(table.contains("| HIPAA 164.312(b)"), "the table is not where it was");
    let faults = faults(&table, &root);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_hazard_without_its_control_and_test() {
    let root = root();
    let page = std::fs::read_to_string(root.join("compliance/docs/risks.md")).unwrap();
    let (risks, controls) = page.split_once("| hazard | cause | control | test |").unwrap();
    let names = |table: &str| -> Vec<String> {
        let rows = table.lines().filter(|line| line.starts_with("| R"));
        rows.filter_map(|row| row.split(' ').nth(1).map(ToOwned::to_owned)).collect()
    };
    assert_eq!(names(risks), names(controls));
    let faults = faults(controls, &root);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let root = root();
    let row = "| Something | own | `tests/layers/traceability.rs::no_such_test` |";
    assert_eq!(faults(row, &root).len(), 1);
    assert_eq!(faults("| Something | own | |", &root).len(), 1);
}
