//! Indices by which near copies of a radiograph are found: of two fingerprints that are near, one of twelve
//! parts at least is the same.
//!
//! They are over expressions of what the column holds, so that rows of before and of programs that know
//! nothing of them are found as well.

use sea_orm_migration::prelude::*;

/// Hexadecimal digits of a fingerprint, and how many parts they make up: the engine's `Fingerprint` says
/// why they are spread.
const DIGITS: usize = 64;
const PARTS: usize = 12;
const STEP: usize = 13;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn name(part: usize) -> String {
    format!("ix_radiographs_fingerprint_{part}")
}

/// The digits of a part, in the words of both kinds of database; queries use the same.
fn digits(part: usize) -> String {
    let start = |part: usize| part * DIGITS / PARTS;
    let digits = (start(part)..start(part + 1)).map(|place| place * STEP % DIGITS + 1);
    let digits: Vec<String> =
        digits.map(|digit| format!("substr(fingerprint, {digit}, 1)")).collect();
    digits.join(" || ")
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for part in 0..PARTS {
            let (name, digits) = (name(part), digits(part));
            let index = format!("CREATE INDEX {name} ON radiographs (({digits}))");
            manager.get_connection().execute_unprepared(&index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for part in 0..PARTS {
            let index = Index::drop().name(name(part)).table("radiographs").to_owned();
            manager.drop_index(index).await?;
        }
        Ok(())
    }
}
