//! What requests may ask for: every limit of the API's JSON bodies in one place.
//!
//! The engine has the same limits on what reaches it; here they are said before a record is made.

use std::ops::RangeInclusive;

/// Characters of a name.
pub const NAME: RangeInclusive<usize> = 1..=120;
/// Characters of a licence or an attribution.
pub const CREDIT: RangeInclusive<usize> = 1..=500;
/// Uploads that a data set is built from.
pub const UPLOADS: RangeInclusive<usize> = 1..=1000;
/// Share of patients kept for validation: above 0, up to this.
pub const MOST_VALIDATION: f32 = 0.9;
/// Steps of a training.
pub const TRAINING_STEPS: RangeInclusive<u64> = 1..=1_000_000;
/// Images a step.
pub const BATCH_SIZE: RangeInclusive<usize> = 1..=256;
/// Rank of an adapter.
pub const RANK: RangeInclusive<usize> = 1..=256;
/// Alpha of an adapter: above 0, up to this.
pub const MOST_ALPHA: f64 = 1024.0;
/// Learning rate: above 0, up to this.
pub const MOST_LEARNING_RATE: f64 = 1.0;
/// Denoising steps of an image.
pub const STEPS: RangeInclusive<u32> = 1..=1000;
/// Images of a generation.
pub const COUNT: RangeInclusive<u32> = 1..=16;
/// Characters of an archive's name, which stands in addresses.
pub const DESTINATION: RangeInclusive<usize> = 1..=64;
/// Characters of an archive's address.
pub const ADDRESS: RangeInclusive<usize> = 1..=500;
/// Characters of the certificates of whoever may vouch for an archive.
pub const AUTHORITIES: RangeInclusive<usize> = 1..=65_536;
/// Characters of a name to log in with at an archive.
pub const USERNAME: RangeInclusive<usize> = 1..=256;
/// Characters of a token or password of an archive.
pub const SECRET: RangeInclusive<usize> = 1..=8192;
/// Seconds to wait for an archive, each time.
pub const TIMEOUT: RangeInclusive<i32> = 1..=600;
/// Images of a transfer.
pub const TRANSFERRED: RangeInclusive<usize> = 1..=100;
/// Strength of guidance; 1 is none.
pub const GUIDANCE_SCALE: RangeInclusive<f32> = 0.0..=30.0;
/// Scale of an adapter; 0 is none, 1 is as trained.
pub const ADAPTER_SCALE: RangeInclusive<f32> = 0.0..=2.0;
/// Characters of a prompt's free text, and of a negative prompt.
pub const TEXT: usize = 2000;
/// Findings that a prompt may name.
pub const FINDINGS: usize = 20;
/// Characters of a reason.
pub const REASON: RangeInclusive<usize> = 1..=2000;
/// A reader's judgement of realism.
pub const REALISM: RangeInclusive<u8> = 1..=5;
/// The largest seed: JSON numbers are exact up to here in every client.
pub const MOST_SEED: u64 = (1 << 53) - 1;
