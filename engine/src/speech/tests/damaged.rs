//! Bytes that nobody recorded: an error or some sound, and never a panic that gets out, an endless
//! loop or unbounded memory.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::{Clip, Limits};
use super::{Form, RECORDINGS, fixture, tone, wav};

const LIMITS: Limits = Limits { bytes: 1 << 20, seconds: 2 };

fn files() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = RECORDINGS.iter().map(|name| fixture(name)).collect();
    files.push(wav(&tone(440.0, 16_000, 0.2), 16_000, 1, Form::Signed16, false));
    files
}

/// What comes out is within what was allowed.
fn read(bytes: &[u8]) -> bool {
    match Clip::read(bytes, LIMITS) {
        Ok(clip) => {
            assert!(clip.seconds() <= 2.1);
            assert!(clip.samples().iter().all(|sample| sample.is_finite()));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[test]
fn truncations_are_refused() {
    for file in files() {
        for length in (0..file.len()).step_by(7) {
            let heard = read(&file[..length]);
            // A live WebM has no end that could be missing: cut between two blocks it is shorter.
            assert!(!heard || file.starts_with(&[0x1A]), "{length} of {} bytes", file.len());
        }
    }
}

#[test]
fn flipped_bits_and_torn_bytes_break_nothing() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut heard = 0;
    for file in files() {
        for round in 0..300 {
            let mut bytes = file.clone();
            // Headers are hit more often than their share: that is where lengths stand.
            let reach = if round % 2 == 0 { bytes.len() } else { bytes.len().min(300) };
            for _ in 0..random.random_range(1..8) {
                let at = random.random_range(0..reach);
                match random.random_range(0..3) {
                    0 => bytes[at] ^= 1 << random.random_range(0..8),
                    1 => bytes[at] = 0xFF,
                    _ => bytes[at] = random.random(),
                }
            }
            heard += usize::from(read(&bytes));
        }
    }
    assert!(heard > 100, "the damage was so great that no decoder was reached: {heard}");
}

#[test]
fn noise_behind_each_magic_is_refused() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for magic in
        [b"RIFF\xff\xff\xff\x7fWAVEfmt ".as_slice(), b"OggS\0\x02", &[0x1A, 0x45, 0xDF, 0xA3]]
    {
        for _ in 0..200 {
            let mut bytes = magic.to_vec();
            bytes.extend((0..random.random_range(0..2_000)).map(|_| random.random::<u8>()));
            assert!(!read(&bytes));
        }
    }
}
