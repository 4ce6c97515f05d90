use candle_core::{Device, Tensor};

use super::{agree, check_gradients, random};
use crate::kernel::attention;
use crate::kernel::attention::composed;

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
