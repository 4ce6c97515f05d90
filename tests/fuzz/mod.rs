//! Loaders on damaged files: whatever the bytes, an error or a value, and no panic, no abort, no memory that
//! the file only talks of.
//!
//! `make fuzz` runs it for FUZZ_SECONDS. What breaks a loader is written to `target/fuzz/`; put it among the
//! seeds, so that it is tried first from then on.

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutate::Mutator;
use targets::{TARGETS, Target};

/// What one program may have held at once, in KiB: the seeds have some kilobytes.
const MOST_MEMORY: u64 = 3 << 20;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

/// Runs every target on mutations of its seeds for `time`; returns how many were tried.
fn fuzz(time: Duration, seed: u64) -> u64 {
    let desk = tempfile::tempdir().unwrap();
    let corpora: Vec<(&Target, Vec<Vec<u8>>)> =
        TARGETS.iter().map(|target| (target, target.corpus(&seeds()))).collect();
    for (target, corpus) in &corpora {
        assert!(!corpus.is_empty(), "{}: no seeds", target.name);
        for input in corpus {
            attempt(target, desk.path(), input);
        }
    }
    let (begun, mut mutator, mut tried) = (Instant::now(), Mutator::new(seed), 0);
    while begun.elapsed() < time {
        for (target, corpus) in &corpora {
            attempt(target, desk.path(), &mutator.mutate(corpus));
            tried += 1;
        }
    }
    tried
}

/// One input; a panic is told with the file that holds it.
fn attempt(target: &Target, desk: &Path, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(desk, input))).is_err() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{}-{}", target.name, input.len()));
        std::fs::write(&path, input).unwrap();
        panic!("{}: panics on {}", target.name, path.display());
    }
}

/// The most memory that this program held, in KiB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn loaders_survive_two_seconds_of_damage() {
    let tried = fuzz(Duration::from_secs(2), 1);
    assert!(tried >= TARGETS.len() as u64);
}

#[test]
#[ignore = "minutes: make fuzz"]
fn loaders_survive() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().map_or(600, |text| text.parse().unwrap());
    let seed = std::env::var("FUZZ_SEED").ok().map_or(2, |text| text.parse().unwrap());
    let tried = fuzz(Duration::from_secs(seconds), seed);
    let peak = peak_memory();
    println!("{tried} inputs in {seconds} s, {} KiB at most", peak.unwrap_or(0));
    assert!(peak.is_none_or(|peak| peak < MOST_MEMORY), "{peak:?} KiB");
}
