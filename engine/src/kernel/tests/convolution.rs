use candle_core::{DType, Result, Tensor, Var};

use super::{agree, assert_close, check_gradients, random};
use crate::kernel::linear::rows_times;
use crate::kernel::patches::Geometry;
use crate::kernel::weight::{Form, backward_panels, forward_panels};
use crate::kernel::weight_gradient::weight_gradient;
use crate::kernel::{Convolution, Weight, conv2d, upsample_nearest, winograd};

/// candle's convolution, over maps.
fn theirs(x: &Tensor, w: &Tensor, b: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let planes = x.permute((0, 3, 1, 2))?.contiguous()?;
    let y = planes.conv2d(w, padding, stride, 1, 1)?;
    y.broadcast_add(&b.reshape((1, b.elem_count(), 1, 1))?)?.permute((0, 2, 3, 1))?.contiguous()
}

/// Channels in and out, batch, side, kernel, stride, padding: odd ones, wide ones, and a side that the stride
/// does not divide.
const CASES: [(usize, usize, usize, usize, usize, usize, usize); 16] = [
    (1, 1, 1, 5, 3, 1, 1),
    (5, 7, 3, 9, 3, 1, 1),
    (4, 6, 2, 8, 3, 2, 1),
    (3, 5, 2, 7, 3, 2, 0),
    (6, 3, 5, 4, 1, 1, 0),
    (33, 17, 1, 6, 3, 1, 1),
    (16, 50, 2, 11, 5, 3, 2),
    (64, 96, 1, 6, 2, 2, 0),
    (20, 100, 2, 7, 3, 2, 1),
    (48, 16, 1, 3, 1, 2, 0),
    // In tiles: whole ones and cut ones, odd channels, more than one panel, every padding.
    (16, 16, 1, 8, 3, 1, 1),
    (18, 50, 3, 13, 3, 1, 1),
    (33, 49, 2, 10, 3, 1, 0),
    (50, 17, 1, 7, 3, 1, 2),
    (64, 100, 1, 16, 3, 1, 1),
    (17, 3, 9, 8, 3, 1, 1),
];

#[test]
fn convolutions_and_their_gradients_agree_with_candle() {
    for (channels, out, batch, size, kernel, stride, padding) in CASES {
        // candle's own gradient of a stride knows squares alone.
        let wide = if stride == 1 { size + 2 } else { size };
        let inputs = [
            random(&[batch, size, wide, channels], 1),
            random(&[out, channels, kernel, kernel], 2),
            random(&[out], 3),
        ];
        let convolution = Convolution { stride, padding };
        agree(
            &inputs,
            |t| conv2d(&t[0], &Weight::new(t[1].clone())?, Some(&t[2]), convolution),
            |t| theirs(&t[0], &t[1], &t[2], stride, padding),
        );
    }
}

#[test]
fn a_packed_weight_convolves_as_the_tensor_does_and_comes_out_as_it_went_in() {
    for dtype in [DType::F32, DType::BF16] {
        for (channels, out, batch, size, kernel, stride, padding) in CASES {
            let w = random(&[out, channels, kernel, kernel], 2).to_dtype(dtype).unwrap();
            let b = random(&[out], 3).to_dtype(dtype).unwrap();
            let packed = Weight::new(w.clone()).unwrap();
            assert!(matches!(packed.form(), Form::Packed(_)), "packed");
            assert_eq!(packed.dims(), w.dims());
            let bits = |t: &Tensor| t.flatten_all().unwrap().to_dtype(DType::F32).unwrap();
            let (before, after) = (bits(&w), bits(&packed.tensor().unwrap()));
            assert_eq!(before.to_vec1::<f32>().unwrap(), after.to_vec1::<f32>().unwrap());

            let variable = Var::from_tensor(&w).unwrap();
            let open = Weight::new(variable.as_tensor().clone()).unwrap();
            assert!(matches!(open.form(), Form::Open(_)), "a weight that is trained is not packed");
            let convolution = Convolution { stride, padding };
            let input = random(&[batch, size, size + 2, channels], 1).to_dtype(dtype).unwrap();
            let with = |weight: &Weight| {
                super::with_gradients(std::slice::from_ref(&input), |t| {
                    conv2d(&t[0], weight, Some(&b), convolution)
                })
            };
            let ((ours, slopes), (theirs, expected)) = (with(&packed), with(&open));
            assert_close(&ours, &theirs, 1e-6);
            assert_close(&slopes[0], &expected[0], 1e-6);
        }
    }
}

#[test]
fn convolution_has_right_gradients() {
    for (size, kernel, stride, padding) in [(4, 3, 1, 1), (5, 3, 2, 1), (3, 1, 1, 0), (6, 3, 2, 0)]
    {
        let inputs =
            [random(&[2, size, size, 2], 1), random(&[3, 2, kernel, kernel], 2), random(&[3], 3)];
        let convolution = Convolution { stride, padding };
        check_gradients(&inputs, |t| {
            conv2d(&t[0], &Weight::new(t[1].clone())?, Some(&t[2]), convolution)
        });
    }
}

#[test]
fn a_frozen_convolution_passes_the_gradient_on() {
    let x = Var::from_tensor(&random(&[2, 4, 4, 2], 1)).unwrap();
    let w = random(&[3, 2, 3, 3], 2);
    let weight = Weight::new(w.clone()).unwrap();
    let y = conv2d(x.as_tensor(), &weight, None, Convolution { stride: 1, padding: 1 }).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&x).is_some());
    assert!(gradients.get(&w).is_none());
}

#[test]
fn convolutions_that_do_not_fit_are_refused() {
    let x = random(&[1, 4, 4, 2], 1);
    let with = |shape: &[usize], stride: usize| {
        let weight = Weight::new(random(shape, 2)).unwrap();
        conv2d(&x, &weight, None, Convolution { stride, padding: 0 })
    };
    assert!(with(&[3, 2, 3, 3], 1).is_ok());
    assert!(with(&[3, 5, 3, 3], 1).is_err(), "other channels");
    assert!(with(&[3, 2, 7, 7], 1).is_err(), "a kernel larger than the map");
    assert!(with(&[3, 2, 3, 3], 0).is_err(), "no stride");
    let weight = Weight::new(random(&[3, 2, 1, 1], 2)).unwrap();
    let bias = random(&[4], 3);
    assert!(conv2d(&x, &weight, Some(&bias), Convolution { stride: 1, padding: 0 }).is_err());
}

#[test]
fn maps_are_made_larger_as_candle_makes_planes() {
    for (height, width) in [(6, 8), (5, 7), (3, 4), (9, 4)] {
        let x = random(&[2, 3, 4, 5], 1);
        agree(
            &[x],
            |t| upsample_nearest(&t[0], height, width),
            |t| {
                // candle's own gradient knows whole factors alone: rows and columns are picked here.
                let pick = |own: usize, of: usize| {
                    let places: Vec<u32> = (0..of).map(|place| (place * own / of) as u32).collect();
                    Tensor::new(places, t[0].device())
                };
                t[0].index_select(&pick(3, height)?, 1)?.index_select(&pick(4, width)?, 2)
            },
        );
    }
    let x = random(&[1, 4, 4, 1], 1);
    assert!(upsample_nearest(&x, 3, 4).is_err());
    let planes = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
    let expected = planes.upsample_nearest2d(8, 12).unwrap().permute((0, 2, 3, 1)).unwrap();
    assert_close(&upsample_nearest(&x, 8, 12).unwrap(), &expected.contiguous().unwrap(), 0.0);
}

/// What has three taps on each side and no stride is cut into tiles, which go another way from there.
#[test]
fn tiles_agree_with_a_direct_convolution_in_every_size() {
    let convolution = |x: &Tensor, w: &Tensor, padding: usize| {
        let geometry =
            Geometry::new(Convolution { stride: 1, padding }, x.dims(), w.dims()).unwrap();
        let tiling = geometry.tiling().unwrap();
        let weight = w.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let map = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let out = winograd::convolve(&tiling, &map, &forward_panels(&weight, w.dims()), None);
        Tensor::from_vec(out, &geometry.out_dims()[..], x.device()).unwrap()
    };
    for (batch, height, width, padding) in
        [(1, 1, 1, 1), (2, 3, 5, 0), (1, 4, 9, 1), (3, 8, 2, 2), (1, 30, 31, 1), (9, 5, 4, 1)]
    {
        for (input, output) in [(1, 1), (15, 47), (16, 48), (31, 65), (513, 20), (1040, 16)] {
            let x = random(&[batch, height, width, input], 1);
            let w = random(&[output, input, 3, 3], 2);
            let none = Tensor::zeros(output, DType::F32, x.device()).unwrap();
            let expected = theirs(&x, &w, &none, 1, padding).unwrap();
            assert_close(&convolution(&x, &w, padding), &expected, 1e-5);
        }
    }
}

/// That tiles give what a direct convolution does, forward and both ways back, with the same bits by any number of threads.
fn check_tiles([height, width, input, output]: [usize; 4]) {
    let values =
        |shape: &[usize], seed| random(shape, seed).flatten_all().unwrap().to_vec1::<f32>();
    let dims = [output, input, 3, 3];
    let geometry =
        Geometry::new(Convolution { stride: 1, padding: 1 }, &[1, height, width, input], &dims)
            .unwrap();
    let map = values(&[height, width, input], 1).unwrap();
    let gradient = values(&[height, width, output], 2).unwrap();
    let weight = values(&dims, 3).unwrap();
    let (forward, backward) = (forward_panels(&weight, &dims), backward_panels(&weight, &dims));
    let (tiling, back) = (geometry.tiling().unwrap(), geometry.tiling_back().unwrap());
    let by = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            [
                winograd::convolve(&tiling, &map, &forward, None),
                winograd::convolve(&back, &gradient, &backward, None),
                winograd::gradient_of_weight(&tiling, &map, &gradient, output),
            ]
        })
    };
    let found = by(1);
    for (one, three) in found.iter().zip(by(3)) {
        let same = one.iter().zip(&three).all(|(one, three)| one.to_bits() == three.to_bits());
        assert!(same && one.len() == three.len(), "three threads give other bits than one");
    }
    let expected = [
        rows_times(&geometry.patches(&map), &forward, None),
        rows_times(&geometry.patches_back(&gradient), &backward, None),
        weight_gradient(&map, &gradient, [output, input, 9], input, |tap| geometry.runs(tap)),
    ];
    for (found, expected) in found.into_iter().zip(expected) {
        let [found, expected] =
            [found, expected].map(|x| Tensor::new(x, &candle_core::Device::Cpu).unwrap());
        // Of a weight, 237,000 places are summed in single precision on both sides.
        assert_close(&found, &expected, 5e-5);
    }
}

#[test]
fn large_maps_go_by_in_slabs_that_hang_on_no_thread() {
    // Several slabs of each; many groups for a task, with weights of one block and of two; many tiles to be summed.
    for sizes in [[489, 486, 16, 17], [99, 101, 80, 100]] {
        check_tiles(sizes);
    }
}
