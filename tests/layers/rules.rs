//! The walls, as data, and the one function that holds a tree of files against them.

use std::collections::BTreeMap;
use std::path::Path;

use super::source::{Token, module_of, paths, tokens};

/// The text of every file of the project that a wall speaks of, by its path from the root.
pub(super) type Tree = BTreeMap<String, String>;

/// Lines of a file, at most.
const MOST_LINES: usize = 500;
/// Files that may be longer, each with its reason.
const LONGER: [(&str, &str); 1] =
    [("web/src/api/schema.d.ts", "made from the API's description, and read by nobody")];

/// What a crate may not depend on: a name, or a name's beginning with `*`.
const FORBIDDEN_DEPENDENCIES: [(&str, &[&str]); 5] = [
    (
        "compliance",
        &[
            "actix*",
            "candle*",
            "dicom*",
            "gemm",
            "hyper*",
            "object_store",
            "reqwest",
            "sea-orm*",
            "skiagraph*",
            "sqlx*",
            "tempfile",
            "tokio*",
            "zip",
        ],
    ),
    (
        "engine",
        &[
            "actix*",
            "apalis*",
            "argon2",
            "axum",
            "hyper*",
            "jsonwebtoken",
            "object_store",
            "sea-orm*",
            "skiagraph",
            "skiagraph-migrations",
            "sqlx*",
            "utoipa*",
        ],
    ),
    ("migrations", &["actix*", "candle*", "dicom*", "reqwest", "skiagraph*", "tokio*"]),
    ("backend", &["candle*", "dicom*", "gemm", "safetensors", "tokenizers"]),
    ("tests", &["skiagraph", "skiagraph-migrations", "dicom*", "sea-orm*"]),
];

/// What compliance may not name: it gets everything from its caller, the time as well.
const WITHOUT_A_WORLD: [&[&str]; 9] = [
    &["std", "fs"],
    &["std", "io"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time"],
    &["Utc", "now"],
    &["Local", "now"],
];

/// Floors of the backend: a room knows only the floors below its own.
const BACKEND_FLOORS: [(&str, u8); 24] = [
    ("database", 1),
    ("entities", 1),
    ("secrets", 1),
    ("storage", 1),
    ("config", 2),
    ("error", 2),
    ("marking", 3),
    ("models", 3),
    ("audit", 4),
    ("destinations", 4),
    ("intake", 4),
    ("auth", 5),
    ("exchange", 5),
    ("jobs", 5),
    ("state", 5),
    ("telemetry", 5),
    ("views", 5),
    ("controllers", 6),
    ("openapi", 6),
    ("pages", 6),
    ("router", 7),
    ("server", 8),
    ("commands", 9),
    ("testing", 10),
];

/// Doors in the backend's walls, each with its reason.
const DOORS: [(&str, &str, &str); 13] = [
    ("auth", "state", "the guard finds keys and ledger in what the process shares"),
    ("state", "auth", "what the process shares holds keys and ledger, which nobody else opens"),
    ("auth", "views", "a session is answered in the words of the wire"),
    ("views", "auth", "the user on the wire is made from the user whom the guard found"),
    ("error", "auth", "the one map to HTTP knows the errors of every room"),
    ("error", "intake", "the one map to HTTP knows the errors of every room"),
    ("error", "jobs", "the one map to HTTP knows the errors of every room"),
    ("commands", "testing", "unit tests share an archive that says what they want"),
    ("destinations", "testing", "unit tests share an archive that says what they want"),
    ("exchange", "testing", "unit tests share radiographs and a place to put them"),
    ("intake", "audit", "an import's event is written in the transaction of its rows"),
    ("intake", "testing", "unit tests share radiographs and a place to put them"),
    ("jobs", "testing", "unit tests share radiographs and a place to put them"),
];

/// Every broken wall of the tree, one line each.
pub(super) fn broken(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let engine_floors = floors_of_table(tree.get("engine/src/lib.rs").map_or("", String::as_str));
    for (path, text) in tree {
        if let Some(room) = path.strip_suffix("/Cargo.toml") {
            faults.extend(dependencies(room, text));
            continue;
        }
        let lines = text.lines().count();
        if lines > MOST_LINES && !LONGER.iter().any(|(longer, _)| longer == path) {
            faults.push(format!("{path}: {lines} lines, over {MOST_LINES}"));
        }
        if Path::new(path).extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let tokens = tokens(text);
        faults.extend(unsafe_words(path, &tokens));
        if let Some(inside) = path.strip_prefix("engine/src/") {
            let known = paths(&tokens, &module_of(inside));
            faults.extend(floors(path, inside, &known, &engine_floors, &[]));
        }
        if let Some(inside) = path.strip_prefix("backend/src/") {
            let known = paths(&tokens, &module_of(inside));
            let table = BACKEND_FLOORS.map(|(room, floor)| (room.to_owned(), floor));
            faults.extend(floors(path, inside, &known, &table.into(), &DOORS));
        }
        let known = paths(&tokens, &[]);
        faults.extend(named_outside_their_room(path, &known));
    }
    for module in modules(tree.get("engine/src/lib.rs").map_or("", String::as_str)) {
        if !engine_floors.contains_key(&module) {
            faults.push(format!(
                "engine/src/lib.rs: room `{module}` stands on no floor of the table"
            ));
        }
    }
    for module in modules(tree.get("backend/src/lib.rs").map_or("", String::as_str)) {
        if !BACKEND_FLOORS.iter().any(|(room, _)| *room == module) {
            faults.push(format!(
                "backend/src/lib.rs: room `{module}` stands on no floor of the table"
            ));
        }
    }
    faults
}

/// Reads the floors from the table in the engine's own documentation.
fn floors_of_table(text: &str) -> BTreeMap<String, u8> {
    let mut floors = BTreeMap::new();
    for line in text.lines() {
        let mut cells = line.trim_start_matches("//!").split('|').map(str::trim).skip(1);
        let (Some(floor), Some(rooms)) = (cells.next(), cells.next()) else { continue };
        let Ok(floor) = floor.parse::<u8>() else { continue };
        for room in rooms.split('`').skip(1).step_by(2) {
            floors.insert(room.to_owned(), floor);
        }
    }
    floors.remove("main");
    floors
}

fn modules(text: &str) -> Vec<String> {
    tokens(text)
        .windows(3)
        .filter_map(|three| match three {
            [Token::Word(keyword), Token::Word(name), Token::Other(';')] if keyword == "mod" => {
                Some(name.clone())
            }
            _ => None,
        })
        .collect()
}

/// A room may name rooms of lower floors alone.
fn floors(
    path: &str,
    inside: &str,
    known: &[Vec<String>],
    floors: &BTreeMap<String, u8>,
    doors: &[(&str, &str, &str)],
) -> Vec<String> {
    let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let Some(own) = floors.get(room) else { return Vec::new() };
    let mut faults: Vec<String> = known
        .iter()
        .filter(|named| named.first().is_some_and(|first| first == "crate"))
        .filter_map(|named| named.get(1))
        .filter(|other| *other != room)
        .filter(|other| floors.get(*other).is_some_and(|floor| floor >= own))
        .filter(|other| !doors.iter().any(|(from, to, _)| *from == room && *to == other.as_str()))
        .map(|other| {
            format!("{path}: floor {own} room `{room}` names `{other}` of floor {}", floors[other])
        })
        .collect();
    faults.sort();
    faults.dedup();
    faults
}

/// `unsafe`, and the permission for it, stand in the kernels alone.
fn unsafe_words(path: &str, tokens: &[Token]) -> Option<String> {
    let kernel = path.starts_with("engine/src/kernel/");
    let found = tokens.iter().any(
        |token| matches!(token, Token::Word(word) if word == "unsafe" || word == "unsafe_code"),
    );
    (found && !kernel).then(|| format!("{path}: `unsafe` outside engine/src/kernel"))
}

/// Crates and calls that one room alone may name.
fn named_outside_their_room(path: &str, known: &[Vec<String>]) -> Vec<String> {
    let mut faults = Vec::new();
    let names = |prefix: &[&str]| {
        known.iter().any(|path| path.windows(prefix.len()).any(|part| part == prefix))
    };
    let names_crate = |is: &dyn Fn(&str) -> bool| {
        known.iter().any(|path| path.first().is_some_and(|first| is(first)))
    };
    if !path.starts_with("engine/src/dicom/") && names_crate(&|first| first.starts_with("dicom_")) {
        faults.push(format!("{path}: names dicom-rs outside engine/src/dicom"));
    }
    let engine = path.starts_with("engine/src/");
    if engine && !path.starts_with("engine/src/hub/") && names_crate(&|first| first == "reqwest") {
        faults.push(format!("{path}: speaks HTTP outside engine/src/hub"));
    }
    let credentials = path.starts_with("engine/src/credential/");
    if !credentials && names_crate(&|first| ["c2pa", "rcgen"].contains(&first)) {
        faults.push(format!("{path}: names c2pa or rcgen outside engine/src/credential"));
    }
    let main = path == "backend/src/main.rs" || path.starts_with("backend/src/commands/");
    if !main && names_crate(&|first| first == "skiagraph_migrations") {
        faults.push(format!("{path}: migrations are run by the backend's main alone"));
    }
    if path.starts_with("migrations/")
        && names_crate(&|first| {
            first.starts_with("skiagraph") || ["tokio", "reqwest", "candle_core"].contains(&first)
        })
    {
        faults.push(format!("{path}: migrations know SQL alone"));
    }
    if path.starts_with("compliance/src/") {
        for world in WITHOUT_A_WORLD.iter().filter(|world| names(world)) {
            faults.push(format!("{path}: compliance names `{}`", world.join("::")));
        }
    }
    if path.starts_with("backend/src/") && names_crate(&|first| first.starts_with("candle_")) {
        faults.push(format!("{path}: the backend names tensors"));
    }
    faults
}

/// Dependencies in a manifest that its crate must not know.
fn dependencies(room: &str, manifest: &str) -> Vec<String> {
    let Some((_, forbidden)) = FORBIDDEN_DEPENDENCIES.iter().find(|(name, _)| *name == room) else {
        return Vec::new();
    };
    let mut section = "";
    let mut faults = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        let product =
            section == "[dependencies]" || (room == "tests" && section == "[dev-dependencies]");
        let hit = forbidden.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *pattern,
        });
        if product && hit {
            faults.push(format!("{room}/Cargo.toml: must not depend on `{name}`"));
        }
    }
    faults
}
