use candle_core::{DType, Device, Tensor};
use half::bf16;

use super::{agree, check_gradients, random, with_gradients};
use crate::kernel::attention;
use crate::kernel::attention::composed;
use crate::kernel::panels::Line;
use crate::kernel::simd::exp2;
use crate::kernel::tile::{COLUMNS, Element};
use crate::kernel::turn::{pack, turn};

/// What comes later is not seen.
fn causal(n: usize, m: usize) -> Tensor {
    let seen = |i: usize| if i % m > i / m { f32::NEG_INFINITY } else { 0.0 };
    Tensor::from_vec((0..n * m).map(seen).collect::<Vec<_>>(), (n, m), &Device::Cpu).unwrap()
}

#[test]
fn attention_and_its_gradients_agree_with_the_composed_one() {
    for (batch, heads, n, m, width, masked) in [
        (1, 1, 1, 1, 3, false),
        (2, 3, 10, 7, 5, false),
        (1, 2, 50, 130, 16, true),
        (1, 2, 77, 77, 64, true),
        (2, 2, 100, 300, 40, false),
        (1, 1, 9, 500, 160, false),
        // Ends of blocks of queries and keys, and one beyond them.
        (2, 1, 48, 64, 8, true),
        (1, 2, 49, 65, 24, true),
        (1, 1, 97, 129, 50, false),
        (2, 2, 64, 77, 7, false),
    ] {
        let inner = heads * width;
        let inputs = [
            (random(&[batch, n, inner], 1) * 2.0).unwrap(),
            random(&[batch, m, inner], 2),
            random(&[batch, m, inner], 3),
        ];
        let mask = masked.then(|| causal(n, m));
        agree(
            &inputs,
            |t| attention(&t[0], &t[1], &t[2], heads, mask.as_ref()),
            |t| composed(&t[0], &t[1], &t[2], heads, mask.as_ref()),
        );
    }
}

#[test]
fn attention_has_right_gradients() {
    let inputs = [random(&[1, 5, 4], 1), random(&[1, 6, 4], 2), random(&[1, 6, 4], 3)];
    check_gradients(&inputs, |t| attention(&t[0], &t[1], &t[2], 2, None));
    let mask = causal(5, 6);
    check_gradients(&inputs, |t| attention(&t[0], &t[1], &t[2], 2, Some(&mask)));
}

#[test]
fn attention_bears_large_scores() {
    let q = (random(&[1, 3, 8], 1) * 1000.0).unwrap();
    let k = (random(&[1, 300, 8], 2) * 1000.0).unwrap();
    let v = random(&[1, 300, 8], 3);
    agree(
        &[v],
        |t| attention(&q.to_dtype(t[0].dtype())?, &k.to_dtype(t[0].dtype())?, &t[0], 1, None),
        |t| {
            // The same scores in both number types.
            composed(&q, &k, &t[0], 1, None)
        },
    );
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let x = random(&[1, 3, 8], 1);
    assert!(attention(&x, &x, &x, 3, None).is_err(), "heads that do not divide the width");
    assert!(attention(&x, &x, &x, 0, None).is_err());
    assert!(attention(&x, &random(&[1, 4, 8], 2), &x, 2, None).is_err(), "keys without values");
    assert!(attention(&x, &x, &x, 2, Some(&causal(3, 4))).is_err(), "a mask of another shape");
}

#[test]
fn attention_is_the_same_by_any_number_of_threads() {
    let inputs = [random(&[2, 130, 48], 1), random(&[2, 70, 48], 2), random(&[2, 70, 48], 3)];
    let by = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (y, gradients) =
            pool.install(|| with_gradients(&inputs, |t| attention(&t[0], &t[1], &t[2], 3, None)));
        let bits = |x: &Tensor| {
            let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        (bits(&y), gradients.iter().map(bits).collect::<Vec<_>>())
    };
    let one = by(1);
    for threads in [2, 5] {
        assert!(by(threads) == one, "{threads} threads give other bits");
    }
}

/// Holds what is turned against where it has to lie.
fn check_turned<E: Element>(width: usize, length: usize) {
    let values = random(&[length, width], 1).flatten_all().unwrap().to_dtype(DType::F32).unwrap();
    let values: Vec<E> = values.to_vec1::<f32>().unwrap().into_iter().map(E::from_single).collect();
    let row = |index: usize| &values[index * width..(index + 1) * width];
    let mut out = vec![E::default(); width * (length + 1)];
    turn(width, length, row, &mut out, length + 1);
    let mut lines = Vec::new();
    pack(width, length, row, &mut lines);
    let packed = Line::numbers::<E>(&lines);
    let columns = length.next_multiple_of(16);
    assert_eq!(packed.len(), width.next_multiple_of(E::PER_STEP) * columns);
    for place in 0..width.next_multiple_of(E::PER_STEP) {
        for index in 0..columns {
            let inside = place < width && index < length;
            let expected = if inside { row(index)[place] } else { E::default() };
            if inside {
                assert!(out[place * (length + 1) + index] == expected, "{place} of {index}");
            }
            let step = place / E::PER_STEP * columns + index;
            let found = packed[step * E::PER_STEP + place % E::PER_STEP];
            assert!(found == expected, "{place} of {index}, packed");
        }
    }
}

#[test]
fn rows_become_columns() {
    for width in [1, 2, 7, 8, 9, 17, 40] {
        for length in [1, 7, 8, 15, 16, 17, 48] {
            check_turned::<f32>(width, length);
            check_turned::<bf16>(width, length);
        }
    }
}

#[test]
fn weights_become_steps_of_pairs_in_bf16() {
    let rows: Vec<[f32; COLUMNS]> = (0..16u8)
        .map(|row| std::array::from_fn(|column| f32::from(row) + column as f32 / 64.0))
        .collect();
    assert_eq!(<f32 as Element>::steps(&rows, &mut []), rows.as_flattened());
    let mut copy = [bf16::ZERO; 17 * COLUMNS];
    let steps = bf16::steps(&rows, &mut copy);
    assert_eq!(steps.len(), 16 * COLUMNS);
    for (row, numbers) in rows.iter().enumerate() {
        for (column, number) in numbers.iter().enumerate() {
            let found = steps[(row / 2 * COLUMNS + column) * 2 + row % 2];
            assert_eq!(found, bf16::from_f32(*number), "row {row}, column {column}");
        }
    }
}

#[test]
fn powers_of_two_are_exact_to_the_last_bits() {
    for step in -126_000..127_000 {
        let x = step as f32 / 1000.0;
        let expected = f64::from(x).exp2();
        let error = (f64::from(exp2(x)) / expected - 1.0).abs();
        assert!(error < 2e-7, "2^{x} is off by {error}");
    }
    assert_eq!(exp2(0.0).to_bits(), 1f32.to_bits());
    assert_eq!(exp2(f32::NEG_INFINITY).to_bits(), f32::MIN_POSITIVE.to_bits());
    assert!(exp2(f32::NAN).is_nan());
}
