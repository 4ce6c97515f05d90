//! The walls of ARCHITECTURE.md: who may name whom. A broken wall fails here, with its file.

mod planted;
mod rules;
mod source;
mod traceability;

use std::path::Path;

use rules::Tree;

/// Folders of the project whose files a wall speaks of.
const FOLDERS: [&str; 6] =
    ["compliance", "engine/src", "migrations", "backend", "tests", "web/src"];

/// Reads every file that a wall speaks of.
fn project() -> Tree {
    // Read when the test runs, so that a checkout that was moved is still the one that is looked at.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let root = Path::new(&manifest).join("..");
    let mut tree = Tree::new();
    for folder in FOLDERS {
        collect(&root, &root.join(folder), &mut tree);
    }
    let manifest = std::fs::read_to_string(root.join("engine/Cargo.toml")).unwrap();
    tree.insert("engine/Cargo.toml".to_owned(), manifest);
    tree
}

fn collect(root: &Path, folder: &Path, tree: &mut Tree) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, tree);
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("rs" | "toml" | "ts" | "css")) {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            tree.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn no_wall_is_broken() {
    let tree = project();
    assert!(tree.len() > 350, "only {} files were found", tree.len());
    let faults = rules::broken(&tree);
    assert!(faults.is_empty(), "broken walls:\n{}", faults.join("\n"));
}
