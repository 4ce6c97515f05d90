//! Weights in eight bits: every path gives the same bits, and they come near to single precision.

use std::io::Write;
use std::sync::Once;

use candle_core::{DType, Device, Tensor, Var};

use super::{assert_close, random};
use crate::kernel::int8::{Every, Int8, Places, product_on};
use crate::kernel::isa::{Isa, PATHS};
use crate::kernel::patches::Geometry;
use crate::kernel::tile::int8::Form as IntForm;
use crate::kernel::weight::{Form, forward_panels, sizes};
use crate::kernel::winograd;
use crate::kernel::{Convolution, Weight, conv2d, linear};

fn values(shape: &[usize], seed: u64) -> Vec<f32> {
    random(shape, seed).flatten_all().unwrap().to_vec1().unwrap()
}

/// What a product must give, by its definition and no tile: each row rounded by itself group by group, whole sums, and
/// groups added in order.
fn defined(x: &[f32], places: &impl Places, weight: &[f32], dims: &[usize]) -> Vec<f32> {
    let (output, input, taps) = sizes(dims);
    // As cut by `Groups`: equal pieces of whole fours, 128 at most.
    let run = input.next_multiple_of(4);
    let length = run.div_ceil(run.div_ceil(128)).next_multiple_of(4);
    let rounded = |values: &[f32], scale: f32, inverse: f32| -> Vec<i32> {
        let whole = |value: &f32| (value * inverse).round_ties_even() as i32;
        values.iter().map(|value| if scale == 0.0 { 0 } else { whole(value) }).collect()
    };
    let largest = |values: &[f32]| values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let rows: Vec<Vec<(f32, Vec<i32>)>> = x
        .chunks_exact(input)
        .map(|row| {
            let group = |values: &[f32]| {
                let largest = largest(values);
                let scale = largest / 127.0;
                (scale, rounded(values, scale, 127.0 / largest))
            };
            row.chunks(length).map(group).collect()
        })
        .collect();
    let outputs: Vec<(f32, Vec<i32>)> = weight
        .chunks_exact(input * taps)
        .map(|row| {
            let scale = largest(row) / 127.0;
            (scale, rounded(row, scale, 1.0 / scale))
        })
        .collect();
    let mut answers = Vec::with_capacity(places.answers() * output);
    for place in 0..places.answers() {
        for (scale, bytes) in &outputs {
            let mut sum = 0f32;
            for tap in 0..taps {
                let Some(row) = places.source(place, tap) else { continue };
                for (group, (scale, numbers)) in rows[row].iter().enumerate() {
                    let byte = |k: usize| bytes[(group * length + k) * taps + tap];
                    let terms = numbers.iter().enumerate().map(|(k, number)| number * byte(k));
                    sum += scale * terms.sum::<i32>() as f32;
                }
            }
            answers.push(sum * scale);
        }
    }
    answers
}

/// The paths that the processor has, each in its own form, and plain Rust in that of instructions for bytes as well. Says
/// past the test runner's capture which it lacks.
fn paths() -> Vec<(Isa, IntForm)> {
    static LACKS: Once = Once::new();
    LACKS.call_once(|| {
        for isa in PATHS.into_iter().filter(|isa| !isa.is_available()) {
            let name = isa.name();
            let _ = writeln!(std::io::stderr(), "skipped: int8: the processor has no {name}");
        }
    });
    let has = PATHS.into_iter().filter(|isa| isa.is_available());
    has.map(|isa| (isa, IntForm::of(isa))).chain([(Isa::Portable, IntForm::Quads)]).collect()
}

fn check(x: &[f32], places: &impl Places, dims: &[usize]) {
    let weight = values(dims, 2);
    let bias = values(&dims[..1], 3);
    let mut expected = defined(x, places, &weight, dims);
    for row in expected.chunks_exact_mut(dims[0]) {
        row.iter_mut().zip(&bias).for_each(|(value, bias)| *value += bias);
    }
    for (isa, form) in paths() {
        let int8 = Int8::new(&weight, dims, form);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| product_on(isa, x, places, &int8, Some(&bias)));
            assert_eq!(found.len(), expected.len());
            let same = found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} with {threads} threads gives other bits: {dims:?}", isa.name());
        }
    }
}

#[test]
fn rows_have_the_same_bits_on_every_path_at_every_edge() {
    let check_rows = |rows: usize, columns: usize, depth: usize| {
        let mut x = values(&[rows, depth], 1);
        // One number above all others in its group, and a row of zeros.
        x[depth / 2] = 40.0;
        x[(rows - 1) * depth..].fill(0.0);
        check(&x, &Every(rows), &[columns, depth]);
    };
    for rows in [1, 2, 8, 9, 33, 100] {
        for columns in [1, 16, 17, 48, 49, 100] {
            check_rows(rows, columns, 70);
        }
    }
    for depth in [1, 2, 3, 4, 5, 63, 64, 65, 128, 130, 1029, 6001] {
        check_rows(9, 50, depth);
    }
}

#[test]
fn patches_have_the_same_bits_on_every_path() {
    for (input, output, batch, height, width, kernel, stride, padding) in [
        (16, 16, 1, 8, 8, 3, 1, 1),
        (17, 33, 1, 5, 7, 3, 1, 1),
        (70, 50, 2, 6, 5, 3, 2, 1),
        (33, 17, 1, 9, 4, 3, 2, 0),
        (130, 100, 1, 3, 3, 3, 1, 2),
        (20, 18, 3, 7, 7, 1, 1, 0),
        (18, 20, 1, 6, 6, 2, 2, 0),
        (16, 64, 1, 1, 1, 3, 1, 1),
        (64, 48, 1, 33, 31, 3, 1, 1),
    ] {
        let (map, dims) = ([batch, height, width, input], [output, input, kernel, kernel]);
        let geometry = Geometry::new(Convolution { stride, padding }, &map, &dims).unwrap();
        let x = values(&map, 1);
        check(&x, &geometry.patches(&x), &dims);
    }
}

/// The largest sums that there can be: every product at its limit, of one sign and of both.
#[test]
fn sums_at_their_limits_are_exact() {
    for signs in [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]] {
        let depth = 256;
        let x: Vec<f32> = (0..9 * depth).map(|k| signs[k % 2]).collect();
        let weight = vec![1.0; 48 * depth];
        let expected = (signs[0] + signs[1]) * depth as f32 / 2.0;
        for (isa, form) in paths() {
            let int8 = Int8::new(&weight, &[48, depth], form);
            for value in product_on(isa, &x, &Every(9), &int8, None) {
                assert!((value - expected).abs() <= 1e-6 * depth as f32, "{}: {value}", isa.name());
            }
        }
    }
}

/// The root of the mean square of the difference, beside that of `theirs`.
fn relative_error(ours: &Tensor, theirs: &Tensor) -> f64 {
    let size =
        |x: &Tensor| f64::from(x.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap());
    (size(&(ours - theirs).unwrap()) / size(theirs)).sqrt()
}

/// Numbers of a normal distribution, as activations and weights are.
fn normal(shape: &[usize], seed: u64) -> Tensor {
    use rand::SeedableRng;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let numbers = (0..shape.iter().product::<usize>()).map(|_| {
        let uniform = |random: &mut rand_chacha::ChaCha8Rng| {
            (0..12).map(|_| rand::Rng::random_range(random, 0.0f32..1.0)).sum::<f32>() - 6.0
        };
        uniform(&mut random)
    });
    Tensor::from_vec(numbers.collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
}

#[test]
fn layers_come_within_a_hundredth_of_single_precision() {
    for (rows, input, output) in [(1, 320, 1280), (100, 320, 2560), (77, 768, 320), (64, 1280, 100)]
    {
        let (x, w) = (normal(&[rows, input], 1), normal(&[output, input], 2));
        let bias = normal(&[output], 3);
        let of = |weight: Weight| linear(&x, &weight, Some(&bias)).unwrap();
        let int8 = Weight::int8(w.clone()).unwrap();
        assert!(matches!(int8.form(), Form::Int8(_)));
        let error = relative_error(&of(int8), &of(Weight::new(w).unwrap()));
        assert!(error < 0.012, "{rows} × {input} × {output}: {error}");
    }
    for (input, output, size, kernel, stride, padding) in [
        (320, 100, 16, 3, 1, 1),
        (64, 64, 17, 3, 2, 1),
        (96, 200, 9, 1, 1, 0),
        (32, 32, 4, 3, 1, 1),
    ] {
        let (x, w) =
            (normal(&[2, size, size, input], 1), normal(&[output, input, kernel, kernel], 2));
        let convolution = Convolution { stride, padding };
        let of = |weight: &Weight| conv2d(&x, weight, None, convolution).unwrap();
        let int8 = Weight::int8(w.clone()).unwrap();
        let error = relative_error(&of(&int8), &of(&Weight::new(w.clone()).unwrap()));
        assert!(error < 0.012, "{input} × {output} × {kernel}: {error}");
        // What is left of the weight, within half a scale of each.
        let left = (int8.tensor().unwrap() - &w).unwrap().abs().unwrap();
        let largest = w.flatten_from(1).unwrap().abs().unwrap().max(1).unwrap();
        let worst = left.flatten_from(1).unwrap().max(1).unwrap();
        let share = (worst / largest).unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(share <= 0.5001 / 127.0, "{share}");
    }
}

#[test]
fn tiles_read_the_numbers_that_bytes_stand_for() {
    for (input, output) in [(16, 16), (17, 50), (66, 100)] {
        let dims = [output, input, 3, 3];
        let weight = values(&dims, 2);
        let map = values(&[2, 9, 8, input], 1);
        let convolution = Convolution { stride: 1, padding: 1 };
        let geometry = Geometry::new(convolution, &[2, 9, 8, input], &dims).unwrap();
        let tiling = geometry.tiling().unwrap();
        for (isa, form) in paths() {
            let int8 = Int8::new(&weight, &dims, form);
            let left: Vec<f32> = int8.tensor().unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let expected = winograd::convolve(&tiling, &map, &forward_panels(&left, &dims), None);
            assert!(winograd::convolve(&tiling, &map, &int8, None) == expected, "{}", isa.name());
        }
    }
}

#[test]
fn what_is_no_number_does_not_come_out_as_one() {
    let weight = Weight::int8(random(&[20, 130], 2)).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut x = values(&[3, 130], 1);
        x[130 + 70] = bad;
        let x = Tensor::from_vec(x, (3, 130), &Device::Cpu).unwrap();
        let y = linear(&x, &weight, None).unwrap().to_vec2::<f32>().unwrap();
        assert!(y[1].iter().all(|value| value.is_nan()));
        assert!(y[0].iter().chain(&y[2]).all(|value| value.is_finite()));
    }
}

#[test]
fn only_what_serves_is_held_in_eight_bits() {
    let variable = Var::from_tensor(&random(&[32, 32], 1)).unwrap();
    let error = Weight::int8(variable.as_tensor().clone()).unwrap_err().to_string();
    assert!(error.contains("not trained"), "{error}");
    assert!(Weight::int8(random(&[32, 32], 1).to_dtype(DType::BF16).unwrap()).is_err());
    for shape in [&[15, 32][..], &[32, 15], &[8, 96, 3, 3], &[96, 4, 3, 3]] {
        let narrow = Weight::int8(random(shape, 1)).unwrap();
        assert!(matches!(narrow.form(), Form::Packed(_)), "{shape:?}");
    }
    let weight = Weight::int8(random(&[32, 32], 1)).unwrap();
    let convolution = Weight::int8(random(&[32, 32, 3, 3], 1)).unwrap();
    let moving = Var::from_tensor(&random(&[1, 4, 4, 32], 2)).unwrap();
    for y in [
        linear(moving.as_tensor(), &weight, None).unwrap(),
        conv2d(moving.as_tensor(), &convolution, None, Convolution { stride: 1, padding: 1 })
            .unwrap(),
    ] {
        let error = y.sum_all().unwrap().backward().err().unwrap().to_string();
        assert!(error.contains("for serving"), "{error}");
    }
    // Other number types take the numbers that the bytes stand for.
    let x = random(&[3, 32], 2);
    let left = Weight::new(weight.tensor().unwrap()).unwrap();
    let expected = linear(&x, &left, None).unwrap();
    let double = weight.to_dtype(DType::F64).unwrap();
    let found = linear(&x.to_dtype(DType::F64).unwrap(), &double, None).unwrap();
    assert_close(&found.to_dtype(DType::F32).unwrap(), &expected, 1e-6);
    let half =
        linear(&x.to_dtype(DType::BF16).unwrap(), &weight.to_dtype(DType::BF16).unwrap(), None);
    assert_close(&half.unwrap().to_dtype(DType::F32).unwrap(), &expected, 3e-2);
}
