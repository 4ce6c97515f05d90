#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const ROWS: i64 = 12;

fn event(sequence: i64, previous_hash: &str) -> Event {
    let mut event = Event {
        sequence,
        recorded_at: format!("2026-11-23T19:00:{sequence:02}.000000Z"),
        actor_id: (sequence % 3 != 0).then(|| format!("user-{}", sequence % 4)),
        actor_name: format!("name {}", sequence % 4),
        actor_roles: "clinician,auditor".to_owned(),
        action: Action::ALL[sequence as usize % Action::ALL.len()].word().to_owned(),
        object_type: "image".to_owned(),
        object_id: (sequence % 2 == 0).then(|| format!("object-{sequence}")),
        outcome: Outcome::Success.word().to_owned(),
        detail: format!("{{\"count\":{sequence}}}"),
        source_address: Some("192.0.2.7".to_owned()),
        previous_hash: previous_hash.to_owned(),
        hash: String::new(),
    };
    event.hash = hash(&event);
    event
}

fn log() -> Vec<Event> {
    let mut previous = GENESIS.to_owned();
    (1..=ROWS)
        .map(|sequence| {
            let event = event(sequence, &previous);
            previous.clone_from(&event.hash);
            event
        })
        .collect()
}

fn head(log: &[Event]) -> Head {
    log.last().map_or(Head { sequence: 0, hash: GENESIS.to_owned() }, |last| Head {
        sequence: last.sequence,
        hash: last.hash.clone(),
    })
}

fn first_broken(log: Vec<Event>, head: Option<&Head>) -> Option<(i64, Cause)> {
    let mut verifier = Verifier::new(head.cloned(), None);
    for event in log {
        if !verifier.push(event) {
            break;
        }
    }
    verifier.finish().first_broken.map(|found| (found.sequence, found.cause))
}

fn renumber(log: &mut [Event]) {
    for (place, event) in log.iter_mut().enumerate() {
        event.sequence = place as i64 + 1;
    }
}

fn every_change(event: &Event) -> Vec<Event> {
    let text = |change: &dyn Fn(&mut Event)| {
        let mut changed = event.clone();
        change(&mut changed);
        changed
    };
    vec![
        text(&|e| e.recorded_at = e.recorded_at.replace("2026", "2027")),
        text(&|e| e.actor_id = Some("somebody".to_owned())),
        text(&|e| e.actor_name.push('x')),
        text(&|e| e.actor_roles.push_str(",admin")),
        text(&|e| e.action.push('s')),
        text(&|e| e.object_type = "user".to_owned()),
        text(&|e| e.object_id = Some("another".to_owned())),
        text(&|e| e.outcome = "failure".to_owned()),
        text(&|e| e.detail.push(' ')),
        text(&|e| e.source_address = None),
        text(&|e| e.previous_hash = e.previous_hash.replace(['0', '1', '2'], "f")),
        text(&|e| e.hash = e.hash.replace(['0', '1', '2', '3', '4', '5'], "f")),
    ]
}

#[test]
fn an_untouched_log_is_intact() {
    let log = log();
    assert_eq!(first_broken(log.clone(), Some(&head(&log))), None);
    assert_eq!(first_broken(Vec::new(), Some(&head(&[]))), None);
    assert_eq!(first_broken(log, None), None);
}

#[test]
fn any_changed_column_of_any_row_is_named() {
    let untouched = log();
    for place in 0..untouched.len() {
        for (column, changed) in every_change(&untouched[place]).into_iter().enumerate() {
            assert_ne!(changed, untouched[place], "column {column} of row {place} was not changed");
            let mut log = untouched.clone();
            log[place] = changed;
            let found = first_broken(log, Some(&head(&untouched)));
            assert_eq!(found, Some((place as i64 + 1, Cause::Changed)), "column {column}");
        }
    }
}

#[test]
fn a_changed_row_whose_hash_was_made_anew_is_named() {
    let untouched = log();
    for place in 0..untouched.len() {
        let mut log = untouched.clone();
        log[place].actor_name = "nobody".to_owned();
        log[place].hash = hash(&log[place]);
        let found = first_broken(log, Some(&head(&untouched)));
        assert_eq!(found, Some((place as i64 + 1, Cause::Changed)));
    }
}

#[test]
fn a_rewritten_rest_of_the_log_disagrees_with_its_head() {
    let untouched = log();
    let mut log = untouched.clone();
    log[4].actor_name = "nobody".to_owned();
    log[4].hash = hash(&log[4]);
    for place in 5..log.len() {
        log[place].previous_hash = log[place - 1].hash.clone();
        log[place].hash = hash(&log[place]);
    }
    let found = first_broken(log, Some(&head(&untouched)));
    assert_eq!(found, Some((ROWS, Cause::Changed)));
}

#[test]
fn any_dropped_row_is_named() {
    let untouched = log();
    for place in 0..untouched.len() {
        let sequence = place as i64 + 1;
        let mut log = untouched.clone();
        log.remove(place);
        let gap = first_broken(log.clone(), Some(&head(&untouched)));
        assert_eq!(gap, Some((sequence, Cause::Missing)));
        renumber(&mut log);
        let closed = first_broken(log, Some(&head(&untouched)));
        assert_eq!(closed, Some((sequence, Cause::Missing)), "with the gap closed");
    }
}

#[test]
fn a_cut_end_of_any_length_is_named() {
    let untouched = log();
    for left in 0..untouched.len() {
        let found = first_broken(untouched[..left].to_vec(), Some(&head(&untouched)));
        assert_eq!(found, Some((left as i64 + 1, Cause::Missing)));
    }
}

#[test]
fn any_inserted_row_is_named() {
    let untouched = log();
    for place in 0..=untouched.len() {
        let sequence = place as i64 + 1;
        let before = place.checked_sub(1).map_or(GENESIS, |before| untouched[before].hash.as_str());
        let mut wrong = event(sequence, before);
        wrong.detail = "{\"made\":\"up\"}".to_owned();
        let mut hashed = wrong.clone();
        hashed.hash = hash(&hashed);
        for made_up in [wrong, hashed] {
            let mut log = untouched.clone();
            log.insert(place, made_up);
            renumber(&mut log);
            let (named, cause) = first_broken(log, Some(&head(&untouched))).unwrap();
            assert_eq!(named, sequence);
            // At the very end, a made-up row with a wrong hash looks like a changed one.
            if place < untouched.len() {
                assert_eq!(cause, Cause::Inserted);
            }
        }
    }
}

#[test]
fn a_row_far_beyond_the_end_is_named() {
    let untouched = log();
    let mut log = untouched.clone();
    log.push(Event { sequence: 1_000_000, ..untouched[2].clone() });
    let found = first_broken(log, Some(&head(&untouched)));
    assert_eq!(found, Some((1_000_000, Cause::Inserted)));
}

#[test]
fn any_two_swapped_rows_are_named() {
    let untouched = log();
    for first in 0..untouched.len() {
        for second in first + 1..untouched.len() {
            let mut log = untouched.clone();
            log.swap(first, second);
            renumber(&mut log);
            let found = first_broken(log, Some(&head(&untouched)));
            assert_eq!(found, Some((first as i64 + 1, Cause::Reordered)), "with row {second}");
        }
    }
}

#[test]
fn no_two_events_share_a_form() {
    let first = event(1, GENESIS);
    let mut second = first.clone();
    // The same letters, divided otherwise between two columns.
    second.actor_name = format!("{}clinician", first.actor_name);
    second.actor_roles = first.actor_roles.replacen("clinician", "", 1);
    assert_ne!(hash(&first), hash(&second));
    let mut none = first.clone();
    none.object_id = None;
    let mut dash = first;
    dash.object_id = Some("-".to_owned());
    assert_ne!(hash(&none), hash(&dash));
}

#[test]
fn the_hash_is_the_documented_one() {
    // SHA-256 of the form that `canonical.rs` documents, written by hand and hashed by sha256sum.
    const GOLDEN: &str = "0fde1262c8658bd63e8389816c6740b2b4242f192fc389588e896363b8dd365d";
    assert_eq!(event(1, GENESIS).hash, GOLDEN);
}

#[test]
fn every_action_has_its_own_word_and_a_code() {
    for action in Action::ALL {
        assert_eq!(Action::parse(action.word()), Some(action));
        assert_eq!(serde_json::to_value(action).unwrap(), action.word());
        assert!(action.event_id().value.starts_with("1101"));
        assert!("CRUDE".contains(action.event_action()));
    }
    assert_eq!(Action::parse("nothing"), None);
}

fn csv_of(event: &Event) -> String {
    let source = Source::of(&Signer::new(&[7; 32]).public_key());
    let (exporter, mut written) = (Exporter::new(Form::Csv, source), String::new());
    exporter.begin(&mut written).unwrap();
    exporter.event(&mut written, event).unwrap();
    written
}

#[test]
fn a_formula_does_not_reach_a_spreadsheet() {
    for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'quoted"] {
        let mut event = event(1, GENESIS);
        event.actor_name = text.to_owned();
        let written = csv_of(&event);
        let mut reader = csv::Reader::from_reader(written.as_bytes());
        assert_eq!(reader.headers().unwrap().len(), CSV_COLUMNS.len());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!(&record[3], format!("'{text}"));
    }
}

#[test]
fn a_record_holds_quotes_commas_and_line_ends() {
    let mut event = event(2, GENESIS);
    event.detail = "{\"a\":\"x, \\\"y\\\"\",\n\"b\":1}".to_owned();
    let written = csv_of(&event);
    let mut reader = csv::Reader::from_reader(written.as_bytes());
    let record = reader.records().next().unwrap().unwrap();
    assert_eq!(&record[14], event.detail);
    assert_eq!(&record[17], event.hash);
}
