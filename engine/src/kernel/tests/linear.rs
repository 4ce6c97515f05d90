use candle_core::{DType, Result, Tensor};

use super::{agree, assert_close, check_gradients, random, with_gradients};
use crate::kernel::weight::Form;
use crate::kernel::{Weight, linear};

fn theirs(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (output, input) = w.dims2()?;
    let mut dims = x.dims().to_vec();
    *dims.last_mut().unwrap() = output;
    x.reshape(((), input))?.matmul(&w.t()?)?.broadcast_add(b)?.reshape(dims)
}

const CASES: [(&[usize], usize); 6] = [
    (&[1, 1], 1),
    (&[3, 5], 7),
    (&[2, 3, 48], 96),
    (&[17, 33], 8),
    (&[9, 100], 130),
    (&[400, 16], 3),
];

#[test]
fn linear_layers_and_their_gradients_agree_with_candle() {
    for (shape, output) in CASES {
        let input = shape[shape.len() - 1];
        let inputs = [random(shape, 1), random(&[output, input], 2), random(&[output], 3)];
        agree(
            &inputs,
            |t| linear(&t[0], &Weight::new(t[1].clone())?, Some(&t[2])),
            |t| theirs(&t[0], &t[1], &t[2]),
        );
    }
}

#[test]
fn a_packed_weight_gives_what_the_tensor_gives() {
    for dtype in [DType::F32, DType::BF16] {
        for (shape, output) in CASES {
            let weight = random(&[output, shape[shape.len() - 1]], 2).to_dtype(dtype).unwrap();
            let bias = random(&[output], 3).to_dtype(dtype).unwrap();
            let input = random(shape, 1).to_dtype(dtype).unwrap();
            let packed = Weight::new(weight.clone()).unwrap();
            assert!(matches!(packed.form(), Form::Packed(_)), "packed");
            let inputs = [input, weight, bias];
            let (found, slopes) = with_gradients(&[inputs[0].clone(), inputs[2].clone()], |t| {
                linear(&t[0], &packed, Some(&t[1]))
            });
            let (expected, expected_slopes) = with_gradients(&inputs, |t| {
                linear(&t[0], &Weight::new(t[1].clone())?, Some(&t[2]))
            });
            // A trained bias of a frozen weight is added behind: it is rounded once more.
            let tolerance = if dtype == DType::F32 { 1e-6 } else { 2e-2 };
            assert_close(&found, &expected, tolerance);
            assert_close(&slopes[0], &expected_slopes[0], tolerance);
        }
    }
}

#[test]
fn linear_has_right_gradients() {
    let inputs = [random(&[4, 5], 1), random(&[3, 5], 2), random(&[3], 3)];
    check_gradients(&inputs, |t| linear(&t[0], &Weight::new(t[1].clone())?, Some(&t[2])));
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    let weight = Weight::new(random(&[3, 5], 2)).unwrap();
    assert!(linear(&random(&[4, 6], 1), &weight, None).is_err());
    assert!(linear(&random(&[4, 5], 1), &weight, Some(&random(&[4], 1))).is_err());
    let half = random(&[4, 5], 1).to_dtype(DType::BF16).unwrap();
    assert!(linear(&half, &weight, None).is_err(), "numbers of another type");
}
