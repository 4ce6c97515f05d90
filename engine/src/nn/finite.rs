//! Whether stored numbers are numbers.

use rayon::prelude::*;
use safetensors::Dtype;

/// Bytes that one look covers: long enough to be quick, short enough to stay in the cache.
const STRETCH: usize = 1 << 16;

/// Whether every number of `bytes`, stored little-endian as `dtype`, is finite. Looks at the bits:
/// IEEE 754 marks infinities and NaN by an exponent of ones alone (section 3.4), and a number that is
/// no float is always finite.
pub fn all_finite(dtype: Dtype, bytes: &[u8]) -> bool {
    match dtype {
        Dtype::F16 => among(bytes, |pair: [u8; 2]| u16::from_le_bytes(pair) & 0x7c00 == 0x7c00),
        Dtype::BF16 => among(bytes, |pair: [u8; 2]| u16::from_le_bytes(pair) & 0x7f80 == 0x7f80),
        Dtype::F32 | Dtype::C64 => {
            among(bytes, |four: [u8; 4]| u32::from_le_bytes(four) & 0x7f80_0000 == 0x7f80_0000)
        }
        Dtype::F64 => among(bytes, |eight: [u8; 8]| {
            const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
            u64::from_le_bytes(eight) & EXPONENT == EXPONENT
        }),
        // The eight-bit floats have one or two patterns that are no number (arXiv 2209.05433).
        Dtype::F8_E4M3 => among(bytes, |[byte]: [u8; 1]| byte & 0x7f == 0x7f),
        Dtype::F8_E5M2 => among(bytes, |[byte]: [u8; 1]| byte & 0x7c == 0x7c),
        _ => true,
    }
}

/// Whether no number is `bad`.
fn among<const N: usize>(bytes: &[u8], bad: impl Fn([u8; N]) -> bool + Sync) -> bool {
    let (numbers, _) = bytes.as_chunks::<N>();
    // Without a way out of the inner loop, so that it works on many numbers at once.
    numbers
        .par_chunks(STRETCH / N)
        .all(|stretch| !stretch.iter().fold(false, |found, number| found | bad(*number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const N: usize>(dtype: Dtype, good: [u8; N], bad: [[u8; N]; 3]) {
        let mut bytes = good.repeat(100_000);
        assert!(all_finite(dtype, &bytes), "{dtype:?}");
        for number in bad {
            for place in [0, 54_321, 99_999] {
                bytes[place * N..(place + 1) * N].copy_from_slice(&number);
                assert!(!all_finite(dtype, &bytes), "{dtype:?} {number:?} at {place}");
                bytes[place * N..(place + 1) * N].copy_from_slice(&good);
            }
        }
    }

    #[test]
    fn one_number_that_is_none_is_found_wherever_it_stands() {
        let floats = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        check(Dtype::F32, f32::MAX.to_le_bytes(), floats.map(f32::to_le_bytes));
        check(Dtype::F64, f64::MIN.to_le_bytes(), floats.map(|x| f64::from(x).to_le_bytes()));
        let largest = half::f16::MAX.to_le_bytes();
        check(Dtype::F16, largest, floats.map(|x| half::f16::from_f32(x).to_le_bytes()));
        let largest = half::bf16::MAX.to_le_bytes();
        check(Dtype::BF16, largest, floats.map(|x| half::bf16::from_f32(x).to_le_bytes()));
        assert!(all_finite(Dtype::I64, &[0xff; 64]));
    }
}
