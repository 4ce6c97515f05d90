//! The API's description, and what is made from it.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::harness::shared;

#[tokio::test]
async fn the_pages_types_are_made_from_this_description() {
    let address = &shared().await.server.address;
    let answer = reqwest::get(format!("{address}/api/openapi.json")).await.unwrap();
    let sum = hex::encode(Sha256::digest(answer.bytes().await.unwrap()));
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let types = Path::new(&manifest).join("../web/src/api/schema.d.ts");
    let types = std::fs::read_to_string(types).unwrap();
    let first = types.lines().next().unwrap_or_default();
    assert!(
        first.contains(&sum),
        "web/src/api/schema.d.ts is stale: start the platform, then `npm run api` in web/"
    );
}
