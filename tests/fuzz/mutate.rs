//! Damage to bytes: of the kind that disks do, and of the kind that people do.

/// Words that loaders have opinions about.
const WORDS: [&str; 40] = [
    "0",
    "1",
    "-1",
    "2147483648",
    "18446744073709551615",
    "1e308",
    "-1e308",
    "1e-320",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "\\u0000",
    "..",
    "/etc/passwd",
    "../x",
    "F32",
    "F64",
    "BF16",
    "F4",
    "BOOL",
    "I64",
    "\"dtype\"",
    "\"shape\"",
    "\"data_offsets\"",
    "__metadata__",
    ".weight",
    ".bias",
    "lora_up",
    "alpha",
    "\"rank\":0",
    "epsilon",
    "v_prediction",
    "99999",
    "0.0",
    ",",
];

/// A stream of damage from a seed (`SplitMix64`: Steele, Lea and Flood, OOPSLA 2014).
pub(super) struct Mutator(u64);

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        if count == 0 { 0 } else { (self.next() % count as u64) as usize }
    }

    /// One of `corpus`, damaged in one to eight places.
    pub(super) fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            self.damage(&mut bytes, corpus);
        }
        // Half of the safetensors files stay honest about the header's length, so that what follows is
        // reached at all.
        if self.below(2) == 0 {
            mend(&mut bytes);
        }
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let until = (at + 1 + self.below(16)).min(bytes.len());
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.next() as u8,
            2 => bytes.truncate(at),
            3 if at < until => drop(bytes.drain(at..until)),
            4 => {
                let piece = bytes[at..until].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let word = WORDS[self.below(WORDS.len())].bytes();
                bytes.splice(at..at, word);
            }
            6 => self.another_number(bytes, at),
            7 if bytes.len() >= 8 => {
                let length = [0, 7, u64::MAX, 1 << 40, bytes.len() as u64][self.below(5)];
                bytes[..8].copy_from_slice(&length.to_le_bytes());
            }
            _ => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len());
                let until = (from + self.below(64)).min(other.len());
                bytes.splice(at..at, other[from..until].iter().copied());
            }
        }
    }

    /// The first number behind `at` becomes another one.
    fn another_number(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|n| at + n) else {
            return;
        };
        let end = bytes[start..].iter().position(|byte| !byte.is_ascii_digit());
        let end = end.map_or(bytes.len(), |n| start + n);
        let word = WORDS[self.below(9)].bytes();
        bytes.splice(start..end, word);
    }
}

/// Sets the length of a safetensors header to where its JSON ends.
fn mend(bytes: &mut [u8]) {
    let looks_so = bytes.len() > 9 && bytes[8] == b'{';
    let end = bytes.windows(3).position(|three| three == b"]}}");
    if let Some(end) = end.filter(|_| looks_so) {
        let length = (end + 3 - 8) as u64;
        bytes[..8].copy_from_slice(&length.to_le_bytes());
    }
}
