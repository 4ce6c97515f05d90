//! Picks some rows of many, spread over labels and patients.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::table::Row;

/// A row's turn among its patient's, its place by hash, and the row.
type Queued = (usize, [u8; 32], Row);

/// At most `limit` rows, by turns from each combination of findings, and within it by turns from
/// each patient. The same seed picks the same rows. Without a limit, all of them in their order.
pub(super) fn spread(rows: Vec<Row>, limit: Option<usize>, seed: u64) -> Vec<Row> {
    let Some(limit) = limit.filter(|limit| *limit < rows.len()) else {
        return rows;
    };
    let mut by_label: BTreeMap<Vec<&str>, Vec<Queued>> = BTreeMap::new();
    let mut order: Vec<([u8; 32], Row)> =
        rows.into_iter().map(|row| (mixed(seed, &row.object_name), row)).collect();
    order.sort_by_key(|(key, _)| *key);
    let mut taken: HashMap<String, usize> = HashMap::new();
    for (key, row) in order {
        let label = row.findings.iter().map(|finding| finding.slug).collect();
        let turn = taken.entry(row.patient.clone()).or_default();
        by_label.entry(label).or_default().push((*turn, key, row));
        *turn += 1;
    }
    let mut queues: Vec<_> = by_label
        .into_values()
        .map(|mut rows| {
            rows.sort_by_key(|(turn, key, _)| (*turn, *key));
            rows.into_iter()
        })
        .collect();
    let mut chosen = Vec::with_capacity(limit);
    while chosen.len() < limit {
        let before = chosen.len();
        for queue in &mut queues {
            if chosen.len() < limit
                && let Some((_, _, row)) = queue.next()
            {
                chosen.push(row);
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    chosen.sort_by_key(|row| row.line);
    chosen
}

fn mixed(seed: u64, name: &str) -> [u8; 32] {
    Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize().into()
}
