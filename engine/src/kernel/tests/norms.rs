use candle_core::{D, Device, Result, Tensor};

use super::{agree, assert_close, check_gradients, random};
use crate::kernel::{add, add_channels, geglu, group_norm, layer_norm, silu, softmax};

fn their_group_norm(t: &[Tensor], groups: usize, with_silu: bool) -> Result<Tensor> {
    let channels = t[1].elem_count();
    let norm =
        candle_nn::GroupNorm::new(t[1].clone(), t[2].clone(), channels, groups, 1e-5).unwrap();
    let planes = t[0].permute((0, 3, 1, 2))?.contiguous()?;
    let y = candle_nn::Module::forward(&norm, &planes)?.permute((0, 2, 3, 1))?.contiguous()?;
    if with_silu { y.silu() } else { Ok(y) }
}

#[test]
fn group_norm_and_its_gradients_agree_with_candle() {
    for (batch, channels, groups, size) in
        [(1, 4, 2, 3), (3, 12, 3, 7), (2, 32, 32, 5), (2, 6, 1, 17), (2, 320, 32, 9)]
    {
        let x = random(&[batch, size, size + 1, channels], 1).affine(3.0, 1.0).unwrap();
        let inputs = [x, random(&[channels], 2), random(&[channels], 3)];
        for with_silu in [false, true] {
            agree(
                &inputs,
                |t| group_norm(&t[0], &t[1], &t[2], groups, 1e-5, with_silu),
                |t| their_group_norm(t, groups, with_silu),
            );
        }
    }
}

#[test]
fn a_large_mean_takes_nothing_from_a_small_spread() {
    let x = random(&[1, 8, 8, 4], 1).affine(1e-2, 1000.0).unwrap();
    let (w, b) = (random(&[4], 2), random(&[4], 3));
    let wide: Vec<f64> =
        x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect();
    let mut expected = vec![0f32; wide.len()];
    for group in 0..2 {
        let own = |i: &usize| i % 4 / 2 == group;
        let values: Vec<f64> = (0..wide.len()).filter(own).map(|i| wide[i]).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
        let (w, b) = (w.to_vec1::<f32>().unwrap(), b.to_vec1::<f32>().unwrap());
        for i in (0..wide.len()).filter(own) {
            let normal = (wide[i] - mean) / (variance + 1e-8).sqrt();
            expected[i] = (normal * f64::from(w[i % 4]) + f64::from(b[i % 4])) as f32;
        }
    }
    let expected = Tensor::from_vec(expected, x.shape(), &Device::Cpu).unwrap();
    // One bit of 1000 is 6e-5, a hundredth of the spread.
    assert_close(&group_norm(&x, &w, &b, 2, 1e-8, false).unwrap(), &expected, 1e-2);
}

#[test]
fn layer_norm_and_its_gradients_agree_with_candle() {
    for shape in [&[3, 5, 19][..], &[130, 64], &[1, 1, 2]] {
        let width = shape[shape.len() - 1];
        let inputs = [random(shape, 1), random(&[width], 2), random(&[width], 3)];
        agree(
            &inputs,
            |t| layer_norm(&t[0], &t[1], &t[2], 1e-2),
            |t| candle_nn::ops::layer_norm_slow(&t[0], &t[1], &t[2], 1e-2),
        );
    }
}

#[test]
fn norms_have_right_gradients() {
    for with_silu in [false, true] {
        let inputs = [random(&[2, 3, 2, 4], 1), random(&[4], 2), random(&[4], 3)];
        check_gradients(&inputs, |t| group_norm(&t[0], &t[1], &t[2], 2, 1e-5, with_silu));
        let inputs = [random(&[2, 1, 1, 8], 1), random(&[8], 2), random(&[8], 3)];
        check_gradients(&inputs, |t| group_norm(&t[0], &t[1], &t[2], 2, 1e-5, with_silu));
    }
    let inputs = [random(&[3, 7], 1), random(&[7], 2), random(&[7], 3)];
    check_gradients(&inputs, |t| layer_norm(&t[0], &t[1], &t[2], 1e-5));
}

#[test]
fn activations_and_their_gradients_agree_with_candle() {
    let x = [(random(&[7, 38], 1) * 8.0).unwrap()];
    agree(&x, |t| silu(&t[0]), |t| t[0].silu());
    agree(
        &x,
        |t| geglu(&t[0]),
        |t| {
            let halves = t[0].chunk(2, D::Minus1)?;
            &halves[0] * halves[1].gelu_erf()?
        },
    );
    let theirs = candle_nn::ops::softmax(&x[0], D::Minus1).unwrap();
    assert_close(&softmax(&x[0]).unwrap(), &theirs, 1e-6);
    assert!(geglu(&random(&[2, 3], 1)).is_err());
}

#[test]
fn activations_have_right_gradients() {
    let x = (random(&[3, 18], 1) * 2.0).unwrap();
    check_gradients(std::slice::from_ref(&x), |t| silu(&t[0]));
    check_gradients(std::slice::from_ref(&x), |t| geglu(&t[0]));
    check_gradients(&[x], |t| softmax(&t[0]));
}

#[test]
fn softmax_bears_large_values() {
    let x = Tensor::new(&[[1000f32, 1000.0, -1000.0]], &Device::Cpu).unwrap();
    let y = softmax(&x).unwrap().to_vec2::<f32>().unwrap();
    assert!((y[0][0] - 0.5).abs() < 1e-6 && y[0][2] < 1e-20);
}

#[test]
fn sums_and_their_gradients_agree_with_candle() {
    for shape in [&[2, 3, 4, 5][..], &[1, 40, 30, 33], &[3, 1, 1, 1]] {
        agree(&[random(shape, 1), random(shape, 2)], |t| add(&t[0], &t[1]), |t| &t[0] + &t[1]);
        let (batch, channels) = (shape[0], shape[3]);
        agree(
            &[random(shape, 1), random(&[batch, channels], 2)],
            |t| add_channels(&t[0], &t[1]),
            |t| t[0].broadcast_add(&t[1].reshape((batch, 1, 1, channels))?),
        );
    }
    assert!(add_channels(&random(&[2, 2, 2, 3], 1), &random(&[2, 2], 2)).is_err());
}
