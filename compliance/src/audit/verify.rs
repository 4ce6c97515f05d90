//! Walks the chain and names the first row that is broken, and how.
//!
//! A row may be wrong in itself (its hash is not that of its columns) or in its link (the hash
//! before is another). What happened often shows only in the row after, so a suspect waits for it.
//! Where the key is known, the checkpoints on the way are held against it as well.

use serde::Serialize;

use super::canonical::{GENESIS, hash, hash_as};
use super::checkpoint::{INTERVAL, PublicKey, Seen};
use super::event::Event;

/// How far from its place a moved row is looked for.
const REACH: i64 = 4096;

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its columns are not those that were written.
    Changed,
    /// There was a row of this number, and it is gone.
    Missing,
    /// It is a row of the log, but not the one that was written here.
    Reordered,
    /// No row was written here.
    Inserted,
    /// A signature does not fit: this row, or one between it and that signature, was rewritten
    /// together with the chain.
    Rewritten,
    /// No signature covers it, though one was due.
    Unsigned,
    /// The row is as it was written, and the codes or fields that an export put around it are not.
    Misstated,
    /// There is something in its place that is no row.
    Unreadable,
}

impl Cause {
    /// The cause in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Changed => "the row was changed after it was written",
            Self::Missing => "the row is missing",
            Self::Reordered => "the row was written at another place of the log",
            Self::Inserted => "the row was not written by the log",
            Self::Rewritten => {
                "this row or one after it was rewritten together with the chain: the next signature does not fit"
            }
            Self::Unsigned => "no signature covers the row, though one was due",
            Self::Misstated => "the fields around the row do not say what the row says",
            Self::Unreadable => "what stands in the row's place cannot be read",
        }
    }
}

/// The first broken row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Break {
    /// Its number.
    pub sequence: i64,
    /// What happened to it.
    pub cause: Cause,
}

/// The last row as it was noted beside the log: shows when the end was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Number of the last row; 0 for an empty log.
    pub sequence: i64,
    /// Its hash; [`GENESIS`] for an empty log.
    pub hash: String,
}

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Rows that were looked at.
    pub checked: u64,
    /// The first broken row, if there is one.
    pub first_broken: Option<Break>,
    /// The signatures on the way.
    pub signatures: Signatures,
}

/// The signatures that were met, and how far they reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Signatures {
    /// Good ones.
    pub good: u64,
    /// Those of another key, which were passed over.
    pub foreign: u64,
    /// The last row that a good one covers; 0 where there is none.
    pub through: i64,
    /// When that one was made.
    pub signed_at: Option<String>,
}

impl Verdict {
    /// Whether every row is as it was written.
    pub const fn intact(&self) -> bool {
        self.first_broken.is_none()
    }
}

/// Walks a log in the order of its numbers. Holds two rows at most.
#[derive(Debug)]
pub struct Verifier {
    head: Option<Head>,
    next: i64,
    previous_hash: String,
    suspect: Option<Event>,
    first_broken: Option<Break>,
    checked: u64,
    key: Option<PublicKey>,
    signatures: Signatures,
}

impl Verifier {
    /// Before the first row; `head` is the last row as it was noted beside the log, `key` what the
    /// checkpoints are held against.
    pub fn new(head: Option<Head>, key: Option<PublicKey>) -> Self {
        Self {
            head,
            key,
            signatures: Signatures::default(),
            next: 1,
            previous_hash: GENESIS.to_owned(),
            suspect: None,
            first_broken: None,
            checked: 0,
        }
    }

    /// Looks at the next row. False when the first broken row is known: the rest tells no more.
    pub fn push(&mut self, event: Event) -> bool {
        if self.first_broken.is_some() {
            return false;
        }
        self.checked += 1;
        if let Some(suspect) = self.suspect.take() {
            self.first_broken = Some(self.judge(&suspect, Some(&event)));
            return false;
        }
        // Beyond the end, so nothing need be missing before it.
        if let Some(head) = &self.head
            && event.sequence > head.sequence
            && self.next == head.sequence + 1
        {
            // Unless it is the last row itself, pushed on by one that was put in before it.
            let pushed_on = written_as(&event) == Some(head.sequence);
            let sequence = if pushed_on { head.sequence } else { event.sequence };
            self.first_broken = Some(Break { sequence, cause: Cause::Inserted });
            return false;
        }
        if event.sequence != self.next && hash_as(&event, self.next) == event.hash {
            // It is the row that belongs here, but for its number.
            self.first_broken = Some(Break { sequence: self.next, cause: Cause::Changed });
            return false;
        }
        if event.sequence > self.next {
            self.first_broken = Some(Break { sequence: self.next, cause: Cause::Missing });
            return false;
        }
        if event.sequence < self.next {
            self.first_broken = Some(Break { sequence: event.sequence, cause: Cause::Inserted });
            return false;
        }
        if event.previous_hash == self.previous_hash && hash(&event) == event.hash {
            self.first_broken = self.signed(&event);
            self.next += 1;
            self.previous_hash = event.hash;
            return self.first_broken.is_none();
        }
        self.suspect = Some(event);
        true
    }

    /// Holds a row of the chain against the key, if it is a checkpoint.
    fn signed(&mut self, event: &Event) -> Option<Break> {
        match self.key.as_ref()?.look(event) {
            Seen::Nothing => return None,
            Seen::Foreign => self.signatures.foreign += 1,
            Seen::Good(_) => {
                self.signatures.good += 1;
                self.signatures.through = event.sequence - 1;
                self.signatures.signed_at = Some(event.recorded_at.clone());
            }
            Seen::Bad => {
                let sequence = (self.signatures.through + 1).min(event.sequence);
                return Some(Break { sequence, cause: Cause::Rewritten });
            }
        }
        None
    }

    /// Ends the walk, and compares its end with the head.
    pub fn finish(mut self) -> Verdict {
        let head = self.head.take();
        let head = head.as_ref();
        if let Some(suspect) = self.suspect.take() {
            let trusted = head.is_some_and(|head| head.hash == suspect.hash);
            let sequence = suspect.sequence;
            self.first_broken = Some(match self.judge(&suspect, None) {
                // The head agrees with the last row, and that row with itself: the one before is false.
                _ if trusted && hash(&suspect) == suspect.hash && sequence > 1 => {
                    Break { sequence: sequence - 1, cause: Cause::Changed }
                }
                found => found,
            });
        }
        if self.first_broken.is_none()
            && let Some(head) = head
        {
            let last = self.next - 1;
            self.first_broken = if head.sequence > last {
                Some(Break { sequence: self.next, cause: Cause::Missing })
            } else if head.sequence < last {
                Some(Break { sequence: head.sequence + 1, cause: Cause::Inserted })
            } else if head.hash != self.previous_hash {
                Some(Break { sequence: last.max(1), cause: Cause::Changed })
            } else {
                None
            };
        }
        // Whoever removes the last checkpoints and makes the chain anew leaves more rows unsigned
        // than there can be.
        let last = self.next - 1;
        if self.first_broken.is_none()
            && self.signatures.good > 0
            && last - self.signatures.through > INTERVAL
        {
            let sequence = self.signatures.through + 1;
            self.first_broken = Some(Break { sequence, cause: Cause::Unsigned });
        }
        Verdict {
            checked: self.checked,
            first_broken: self.first_broken,
            signatures: self.signatures,
        }
    }

    fn judge(&self, suspect: &Event, following: Option<&Event>) -> Break {
        let here = suspect.sequence;
        let broken = |sequence, cause| Break { sequence, cause };
        if hash(suspect) == suspect.hash {
            // True in itself, but it does not follow the row before.
            return match following {
                // The row after follows the row before: this one stands between them.
                Some(after) if after.previous_hash == self.previous_hash => {
                    broken(here, Cause::Inserted)
                }
                // The row after follows this one: the row before was rewritten, hash and all.
                Some(after) if after.previous_hash == suspect.hash && here > 1 => {
                    broken(here - 1, Cause::Changed)
                }
                Some(_) | None => broken(here, Cause::Changed),
            };
        }
        let follows_as_written = following.and_then(written_as);
        match written_as(suspect) {
            // Pushed on by one: what stands before it was put in.
            Some(place) if place == here - 1 => broken(here - 1, Cause::Inserted),
            // Moved up by one, and the row after as well: one between was taken out.
            Some(place) if place == here + 1 && follows_as_written != Some(here) => {
                broken(here, Cause::Missing)
            }
            Some(_) => broken(here, Cause::Reordered),
            // The row that was written here stands one further on.
            None if follows_as_written == Some(here) => broken(here, Cause::Inserted),
            None => broken(here, Cause::Changed),
        }
    }
}

/// The place that a row was written at, when that is not where it stands.
fn written_as(event: &Event) -> Option<i64> {
    (1..=REACH)
        .flat_map(|distance| [event.sequence - distance, event.sequence + distance])
        .filter(|place| *place > 0)
        .find(|place| hash_as(event, *place) == event.hash)
}
