//! Verifies the stored log, in pages, so that a log of years fits in memory.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use skiagraph_compliance::audit::{Event, GENESIS, Head, PublicKey, Verdict, Verifier};

use super::append::HEAD;
use crate::entities::audit_head;
use crate::models;

/// Walks the whole log, compares its end with the head, and its checkpoints with the key.
///
/// Should be given a transaction: a row that is appended meanwhile is then either seen in both
/// the log and its head, or in neither.
pub async fn verify(db: &impl ConnectionTrait, key: PublicKey) -> Result<Verdict, DbErr> {
    let head = audit_head::Entity::find_by_id(HEAD).one(db).await?;
    // A head that is gone stands for an empty log: whatever rows there are were not expected.
    let head = head.map_or(Head { sequence: 0, hash: GENESIS.to_owned() }, |head| Head {
        sequence: head.sequence,
        hash: head.hash,
    });
    let mut verifier = Verifier::new(Some(head), Some(key));
    let mut after = None;
    'walk: loop {
        let rows = models::audit::after(db, after).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.sequence);
        for row in rows {
            if !verifier.push(Event::from(row)) {
                break 'walk;
            }
        }
    }
    Ok(verifier.finish())
}
