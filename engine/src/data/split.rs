//! The split: by patient, with each finding on both sides as far as its patients allow.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::Split;

/// In place of a finding, for patients of whom none is known.
const NOTHING: &str = "";

/// Assigns every patient to a split.
///
/// Findings are taken from the rarest to the commonest, as in iterative stratification (Sechidis et
/// al., ECML 2011): each asks for its share of validation patients, and for one at least where it
/// has two or more, out of the patients whom no rarer finding has placed yet. Who has none asks for its
/// share as well. Who is taken first follows from a keyed hash, so that neither the order of files nor a
/// patient's name decides.
///
/// `patients` gives each patient's findings. The result has patients on both sides whenever there are
/// two or more.
pub(super) fn split(
    patients: &BTreeMap<String, BTreeSet<String>>,
    validation_fraction: f32,
    seed: u64,
) -> BTreeMap<String, Split> {
    let mut order: Vec<(&String, [u8; 32])> =
        patients.keys().map(|patient| (patient, keyed(seed, patient))).collect();
    order.sort_by_key(|(_, key)| *key);
    let mut carriers: BTreeMap<&str, u64> = BTreeMap::new();
    for findings in patients.values() {
        for finding in findings {
            *carriers.entry(finding).or_default() += 1;
        }
        if findings.is_empty() {
            *carriers.entry(NOTHING).or_default() += 1;
        }
    }
    let mut rarest_first: Vec<(u64, &str)> =
        carriers.into_iter().map(|(finding, count)| (count, finding)).collect();
    rarest_first.sort_unstable();

    let mut placed: BTreeMap<String, Split> = BTreeMap::new();
    for (count, finding) in rarest_first {
        let share = (f64::from(validation_fraction) * count as f64).round() as u64;
        // At least one on either side, where there are two.
        let wanted = if count < 2 { 0 } else { share.clamp(1, count - 1) };
        let has = |patient: &String| match finding {
            NOTHING => patients[patient].is_empty(),
            finding => patients[patient].contains(finding),
        };
        let carriers = || order.iter().filter(|(patient, _)| has(patient));
        let mut there = carriers()
            .filter(|(patient, _)| placed.get(*patient) == Some(&Split::Validation))
            .count() as u64;
        for (patient, _) in carriers() {
            if placed.contains_key(*patient) {
                continue;
            }
            let side = if there < wanted { Split::Validation } else { Split::Train };
            there += u64::from(side == Split::Validation);
            placed.insert((*patient).clone(), side);
        }
    }
    both_sides(&mut placed, &order);
    placed
}

/// Moves one patient over where a side is left empty, as when every patient has a finding of their own.
fn both_sides(placed: &mut BTreeMap<String, Split>, order: &[(&String, [u8; 32])]) {
    for side in [Split::Train, Split::Validation] {
        if placed.len() > 1
            && !placed.values().any(|split| *split == side)
            && let Some((patient, _)) = order.first()
        {
            placed.insert((*patient).clone(), side);
        }
    }
}

/// By what patients are ordered: neither their names nor the order of files.
pub(super) fn keyed(seed: u64, patient: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"skiagraph split")
        .chain_update(seed.to_le_bytes())
        .chain_update(patient)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(findings: &[&str]) -> BTreeSet<String> {
        findings.iter().map(|finding| (*finding).to_owned()).collect()
    }

    #[test]
    fn every_finding_with_two_patients_is_on_both_sides() {
        let mut patients = BTreeMap::new();
        for number in 0..200 {
            let findings = match number {
                0..2 => set(&["hernia", "edema"]),
                2..12 => set(&["edema"]),
                12 => set(&["mass"]),
                _ => set(&["normal"]),
            };
            patients.insert(format!("p{number}"), findings);
        }
        let placed = split(&patients, 0.1, 7);
        assert_eq!(placed.len(), 200);
        for finding in ["hernia", "edema", "normal"] {
            for side in [Split::Train, Split::Validation] {
                assert!(
                    placed.iter().any(|(p, s)| *s == side && patients[p].contains(finding)),
                    "{finding} is not in {side:?}"
                );
            }
        }
        let validation = placed.values().filter(|split| **split == Split::Validation).count();
        assert!((18..=23).contains(&validation), "{validation}");
        assert_eq!(placed, split(&patients, 0.1, 7));
        assert_ne!(placed, split(&patients, 0.1, 8));
    }

    #[test]
    fn patients_without_a_finding_are_on_both_sides() {
        let mut patients: BTreeMap<String, BTreeSet<String>> =
            (0..40).map(|number| (format!("p{number}"), set(&[]))).collect();
        let held_out = |patients: &BTreeMap<String, BTreeSet<String>>| {
            let placed = split(patients, 0.1, 3);
            assert_eq!(placed.len(), patients.len());
            let of_none = placed.iter().filter(|(patient, _)| patients[*patient].is_empty());
            of_none.filter(|(_, split)| **split == Split::Validation).count()
        };
        assert_eq!(held_out(&patients), 4);
        patients.extend((0..20).map(|number| (format!("m{number}"), set(&["mass"]))));
        assert_eq!(held_out(&patients), 4);
    }

    #[test]
    fn two_patients_are_parted() {
        let patients = [("a".to_owned(), set(&["mass"])), ("b".to_owned(), set(&["edema"]))];
        let placed = split(&patients.into(), 0.05, 1);
        let sides: BTreeSet<_> = placed.values().collect();
        assert_eq!(sides.len(), 2);
    }
}
