//! Where the time goes, by operation: the clock that every operation of this room runs under while
//! somebody asks.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

/// Whether operations are timed. Where they are not, an operation costs one relaxed load more.
static ENABLED: AtomicBool = AtomicBool::new(false);
static COUNTERS: RwLock<BTreeMap<&'static str, Counter>> = RwLock::new(BTreeMap::new());

thread_local! {
    /// Nanoseconds of the operations that ran inside the one that runs on this thread.
    static INSIDE: Cell<u64> = const { Cell::new(0) };
}

#[derive(Default)]
struct Counter {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What one operation took between [`start`] and [`stop`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The operation.
    pub operation: &'static str,
    /// How often it ran.
    pub calls: u64,
    /// How long in all, by the clock on the wall, without the operations that it called: entries
    /// add up to the time spent in operations.
    pub nanoseconds: u64,
}

/// Times every operation from now on, all threads' together, and forgets what was timed before.
pub fn start() {
    COUNTERS.write().unwrap_or_else(PoisonError::into_inner).clear();
    ENABLED.store(true, Ordering::Relaxed);
}

/// Ends the timing. What each operation took since [`start`], the longest first.
pub fn stop() -> Vec<Entry> {
    ENABLED.store(false, Ordering::Relaxed);
    let counters = std::mem::take(&mut *COUNTERS.write().unwrap_or_else(PoisonError::into_inner));
    let mut entries: Vec<Entry> = counters
        .into_iter()
        .map(|(operation, counter)| Entry {
            operation,
            calls: counter.calls.into_inner(),
            nanoseconds: counter.nanoseconds.into_inner(),
        })
        .collect();
    entries.sort_by_key(|entry| (std::cmp::Reverse(entry.nanoseconds), entry.operation));
    entries
}

/// Does `work`, under the clock as `operation` where somebody asks. For the thread that called the
/// operation, not for those that share its work: its wait for them is in its time already.
pub(super) fn timed<R>(operation: &'static str, work: impl FnOnce() -> R) -> R {
    if !ENABLED.load(Ordering::Relaxed) {
        return work();
    }
    let before = INSIDE.replace(0);
    let started = Instant::now();
    let done = work();
    let whole = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let inside = INSIDE.replace(before.saturating_add(whole));
    add(operation, whole.saturating_sub(inside));
    done
}

fn add(operation: &'static str, nanoseconds: u64) {
    let count = |counter: &Counter| {
        counter.calls.fetch_add(1, Ordering::Relaxed);
        counter.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    };
    if let Some(counter) = COUNTERS.read().unwrap_or_else(PoisonError::into_inner).get(operation) {
        return count(counter);
    }
    let mut counters = COUNTERS.write().unwrap_or_else(PoisonError::into_inner);
    count(counters.entry(operation).or_default());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_operation_inside_another_is_counted_once() {
        let sleep = |milliseconds| std::thread::sleep(Duration::from_millis(milliseconds));
        timed("profile test before", || sleep(1));
        start();
        for _ in 0..2 {
            timed("profile test outer", || {
                sleep(20);
                timed("profile test inner", || sleep(40));
            });
        }
        // Operations of tests that run beside this one may be among them.
        let entries = stop();
        timed("profile test after", || sleep(1));
        let find = |name: &str| entries.iter().find(|entry| entry.operation == name);
        assert!(find("profile test before").is_none() && find("profile test after").is_none());
        let (Some(outer), Some(inner)) = (find("profile test outer"), find("profile test inner"))
        else {
            panic!("an operation is missing: {entries:?}");
        };
        assert_eq!((outer.calls, inner.calls), (2, 2));
        assert!(inner.nanoseconds >= 80_000_000, "{entries:?}");
        assert!(outer.nanoseconds >= 40_000_000, "{entries:?}");
        assert!(outer.nanoseconds < inner.nanoseconds, "what is inside counts twice: {entries:?}");
    }
}
