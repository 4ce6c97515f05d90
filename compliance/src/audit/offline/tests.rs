#![allow(clippy::unwrap_used)]

use super::super::{Action, GENESIS, Spelling, hash};
use super::*;
use crate::audit::Signer;

const SECRET: [u8; 32] = [9; 32];

/// A log of rows of every kind; those at these places are checkpoints, as is the last.
fn log(rows: i64, checkpoints: &[i64]) -> Vec<Event> {
    let signer = Signer::new(&SECRET);
    let mut log: Vec<Event> = Vec::new();
    for sequence in 1..=rows {
        let previous_hash = log.last().map_or(GENESIS.to_owned(), |last| last.hash.clone());
        let action = Action::ALL[sequence as usize % (Action::ALL.len() - 1)];
        let mut event = Event {
            sequence,
            recorded_at: format!("2026-11-23T19:{:02}:{:02}.000000Z", sequence / 60, sequence % 60),
            actor_id: (sequence % 3 != 0).then(|| format!("user-{}", sequence % 4)),
            actor_name: format!("name {}", sequence % 4),
            actor_roles: "clinician,auditor".to_owned(),
            action: action.word().to_owned(),
            object_type: "image".to_owned(),
            object_id: (sequence % 2 == 0).then(|| format!("object-{sequence}")),
            outcome: "success".to_owned(),
            detail: format!("{{\"count\":{sequence}}}"),
            source_address: (sequence % 5 != 0).then(|| "192.0.2.7".to_owned()),
            previous_hash,
            hash: String::new(),
        };
        if sequence == rows || checkpoints.contains(&sequence) {
            sign(&mut event, &signer, None);
        }
        event.hash = hash(&event);
        log.push(event);
    }
    log
}

/// Makes the row a checkpoint.
fn sign(event: &mut Event, signer: &Signer, selection: Option<Selection>) {
    event.action = Action::Checkpoint.word().to_owned();
    event.object_type = "audit_log".to_owned();
    let (before, hash) = (event.sequence - 1, event.previous_hash.clone());
    let detail = signer.detail(before, &hash, &event.recorded_at, selection);
    event.detail = serde_json::Value::Object(detail).to_string();
    event.hash = super::hash(event);
}

/// Some rows of a log, and the checkpoint that names them.
fn some(log: &[Event], wanted: impl Fn(i64) -> bool) -> Vec<Event> {
    let (last, before) = log.split_last().unwrap();
    let mut chosen: Vec<Event> =
        before.iter().filter(|event| wanted(event.sequence)).cloned().collect();
    let mut selector = Selector::default();
    for event in &chosen {
        selector.push(event.sequence, &event.hash);
    }
    let mut last = last.clone();
    sign(&mut last, &Signer::new(&SECRET), Some(selector.finish()));
    chosen.push(last);
    chosen
}

fn lines(form: Form, log: &[Event]) -> Vec<String> {
    let exporter = Exporter::new(form, Source::of(&Signer::new(&SECRET).public_key()));
    let mut written = String::new();
    exporter.begin(&mut written).unwrap();
    for event in log {
        exporter.event(&mut written, event).unwrap();
    }
    exporter.end(&mut written).unwrap();
    written.split_inclusive('\n').map(ToOwned::to_owned).collect()
}

fn report(lines: &[String]) -> Report {
    let mut verifier = ExportVerifier::new(Signer::new(&SECRET).public_key());
    for line in lines {
        verifier.line(line).unwrap();
    }
    verifier.finish().unwrap()
}

fn found(lines: &[String]) -> Option<(i64, Cause)> {
    report(lines).first_broken.map(|found| (found.sequence, found.cause))
}

/// How many lines stand before the first row.
fn frame(form: Form) -> usize {
    usize::from(matches!(form, Form::Csv | Form::AtnaXml(_)))
}

#[test]
fn an_untouched_export_of_any_form_is_intact() {
    for form in Form::ALL {
        let whole = report(&lines(form, &log(11, &[4])));
        assert_eq!((whole.checked, whole.whole, whole.first_broken), (11, true, None), "{form:?}");
        assert_eq!((whole.signatures.good, whole.signatures.through), (2, 10), "{form:?}");
        let some = report(&lines(form, &some(&log(11, &[4]), |sequence| sequence % 3 == 1)));
        assert_eq!((some.checked, some.whole, some.first_broken), (5, false, None), "{form:?}");
        // A tool that writes other line ends changes no row.
        let ends: Vec<_> =
            lines(form, &log(5, &[])).iter().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(found(&ends), None, "{form:?}");
    }
}

/// Every place of every line is damaged, one after the other: whatever the form says of a row, a change
/// of it is found, and named with the row.
#[test]
fn any_changed_letter_is_found_and_named() {
    for form in Form::ALL {
        let rows = log(4, &[2]);
        for (export, whole) in [(rows.clone(), true), (some(&rows, |row| row != 2), false)] {
            let untouched = lines(form, &export);
            for (place, row) in export.iter().enumerate() {
                let line = &untouched[frame(form) + place];
                let end = line.trim_end().len();
                // Every eleventh letter of a line, each line beginning at another one; the very first
                // of a file says which form it is.
                for (at, letter) in line.char_indices().take_while(|(at, _)| *at < end) {
                    if at == 0 || (at + place) % 11 != 0 {
                        continue;
                    }
                    let mut changed = line.clone();
                    let other = if letter == '3' { "4" } else { "3" };
                    changed.replace_range(at..at + letter.len_utf8(), other);
                    let mut lines = untouched.clone();
                    lines[frame(form) + place] = changed;
                    let named = found(&lines);
                    let what = format!("{form:?}, row {}, letter {at}: {named:?}", row.sequence);
                    assert!(named.is_some(), "{what}");
                    // Without its checkpoint a selection is no selection: it is read as a log.
                    if whole || place + 1 < export.len() {
                        let (sequence, cause) = named.unwrap();
                        let number = cause == Cause::Inserted || cause == Cause::Reordered;
                        assert!(sequence == row.sequence || number || !whole, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn any_dropped_row_is_named() {
    for form in Form::ALL {
        let whole = log(9, &[4]);
        let some = some(&whole, |row| row != 3 && row != 6);
        for export in [whole, some] {
            let untouched = lines(form, &export);
            for (place, event) in export[..export.len() - 1].iter().enumerate() {
                let mut lines = untouched.clone();
                lines.remove(frame(form) + place);
                let expected = (event.sequence, Cause::Missing);
                assert_eq!(found(&lines), Some(expected), "{form:?}");
            }
        }
        let mut cut = lines(form, &log(9, &[4]));
        cut.remove(frame(form) + 8);
        assert_eq!(found(&cut), Some((9, Cause::Missing)), "{form:?}: the end was cut off");
    }
}

#[test]
fn any_inserted_row_is_named() {
    for form in Form::ALL {
        let whole = log(7, &[4]);
        let some = some(&whole, |row| row != 3);
        for export in [whole, some.clone()] {
            for place in 0..export.len() {
                // A row that was never written, true in itself and well placed by its number.
                let mut made_up = export[place].clone();
                made_up.detail = "{\"made\":\"up\"}".to_owned();
                made_up.action = Action::Login.word().to_owned();
                made_up.hash = hash(&made_up);
                let mut log = export.clone();
                log.insert(place, made_up);
                let (sequence, _) = found(&lines(form, &log)).unwrap();
                assert_eq!(sequence, export[place].sequence, "{form:?}");
            }
        }
        // A true row of the log that the selection does not hold.
        let mut log = some.clone();
        log.insert(2, super::tests::log(7, &[4])[2].clone());
        assert_eq!(found(&lines(form, &log)), Some((3, Cause::Inserted)), "{form:?}");
    }
}

#[test]
fn any_two_swapped_lines_are_named() {
    for form in Form::ALL {
        let whole = log(7, &[4]);
        let some = some(&whole, |row| row != 3);
        for export in [whole, some] {
            for first in 0..export.len() - 1 {
                for second in first + 1..export.len() - 1 {
                    let mut log = export.clone();
                    log.swap(first, second);
                    let (sequence, cause) = found(&lines(form, &log)).unwrap();
                    assert_eq!(cause, Cause::Reordered, "{form:?}: {first} and {second}");
                    let moved = export[first].sequence..=export[second].sequence;
                    assert!(moved.contains(&sequence), "{form:?}: {first} and {second}");
                }
            }
        }
    }
}

#[test]
fn a_log_that_was_made_anew_without_the_key_is_found() {
    // From row 3 on, every hash and link is right again.
    let mut forged = log(9, &[5]);
    forged[2].actor_name = "nobody".to_owned();
    for place in 2..9 {
        forged[place].previous_hash = forged[place - 1].hash.clone();
        forged[place].hash = hash(&forged[place]);
    }
    let named = Some((1, Cause::Rewritten));
    assert_eq!(found(&lines(Form::Csv, &forged)), named);
    // With the checkpoint signed by another key the next one still does not fit.
    sign(&mut forged[4], &Signer::new(&[8; 32]), None);
    for place in 5..9 {
        forged[place].previous_hash = forged[place - 1].hash.clone();
        forged[place].hash = hash(&forged[place]);
    }
    assert_eq!(found(&lines(Form::Csv, &forged)), named);
    // And signed by another key throughout it is no export of this platform.
    sign(&mut forged[8], &Signer::new(&[8; 32]), None);
    let report = report(&lines(Form::Csv, &forged));
    assert_eq!(report.signatures.foreign, 2);
    assert_eq!(report.first_broken, Some(Break { sequence: 10, cause: Cause::Missing }));
    // A later rewriting is named from the last good signature on.
    let mut forged = log(9, &[5]);
    forged[6].actor_name = "nobody".to_owned();
    for place in 6..9 {
        forged[place].previous_hash = forged[place - 1].hash.clone();
        forged[place].hash = hash(&forged[place]);
    }
    assert_eq!(found(&lines(Form::Csv, &forged)), Some((5, Cause::Rewritten)));
}

#[test]
fn a_selection_whose_row_was_made_anew_is_found() {
    let mut forged = some(&log(9, &[]), |row| row != 3);
    forged[4].actor_name = "nobody".to_owned();
    forged[4].hash = hash(&forged[4]);
    assert_eq!(found(&lines(Form::Balp, &forged)), Some((1, Cause::Rewritten)));
}

#[test]
fn fields_around_a_row_are_held_as_well() {
    for (form, from, to) in [
        (Form::Csv, "110112", "110113"),
        (Form::AtnaXml(Spelling::Current), "UserName=\"name 2\"", "UserName=\"name 3\""),
        (Form::Balp, "\"name\":\"name 2\"", "\"name\":\"name 3\""),
    ] {
        let mut lines = lines(form, &log(8, &[]));
        let place = lines.iter().position(|line| line.contains(from)).unwrap();
        lines[place] = lines[place].replace(from, to);
        let row = (place + 1 - frame(form)) as i64;
        assert_eq!(found(&lines), Some((row, Cause::Misstated)), "{form:?}");
    }
    // A member that stands twice is read otherwise by other readers.
    let mut twice = lines(Form::JsonLines, &log(4, &[]));
    twice[1] = twice[1].replacen('{', "{\"event_id\":\"110100\",", 1);
    assert_eq!(found(&twice), Some((2, Cause::Misstated)));
}

#[test]
fn unsigned_rows_at_the_end_of_a_stored_log_are_found() {
    let key = Signer::new(&SECRET).public_key();
    let verdict = |log: &[Event]| {
        let mut verifier = Verifier::new(None, Some(key.clone()));
        assert!(log.iter().all(|event| verifier.push(event.clone())));
        verifier.finish()
    };
    let long = log(2 * crate::audit::INTERVAL, &[crate::audit::INTERVAL]);
    assert_eq!(verdict(&long).first_broken, None);
    // As somebody would leave it who dropped the last checkpoint and went on without the key.
    let mut short = log(300, &[20]);
    short.pop();
    let verdict = verdict(&short);
    assert_eq!(verdict.first_broken, Some(Break { sequence: 20, cause: Cause::Unsigned }));
    assert_eq!((verdict.signatures.good, verdict.signatures.through), (1, 19));
}

#[test]
fn what_is_no_export_is_refused() {
    let key = Signer::new(&SECRET).public_key();
    let refused = |text: &str| ExportVerifier::new(key.clone()).line(text).unwrap_err();
    assert_eq!(refused("%PDF-1.7\n"), NotAnExport::Form);
    let mut empty = ExportVerifier::new(key.clone());
    empty.line(&lines(Form::Csv, &[])[0]).unwrap();
    assert_eq!(empty.finish().unwrap_err(), NotAnExport::Empty);
    let mut torn = lines(Form::Csv, &log(3, &[]));
    torn[1] = "nothing,of,the,kind\r\n".to_owned();
    assert_eq!(found(&torn), Some((1, Cause::Unreadable)));
}

#[test]
fn the_public_key_goes_out_and_comes_back_as_pem() {
    // RFC 8032, 7.1, test 1: secret and public key.
    let secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret, &mut bytes).unwrap();
    let key = Signer::new(&bytes).public_key();
    let pem = key.to_pem().unwrap();
    // RFC 8410: the algorithm's identifier, then the 32 bytes.
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
    assert_eq!(hex::encode(der), format!("302a300506032b6570032100{public}"));
    assert_eq!(PublicKey::from_pem(&pem).unwrap(), key);
    assert!(PublicKey::from_pem("-----BEGIN PUBLIC KEY-----").is_err());
}
