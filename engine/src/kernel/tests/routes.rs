//! The route of other devices and number types: every operation there against the kernels on the CPU, with the
//! gradient of every input.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::{assert_close, random};
use crate::kernel::{
    AdamW, AdamWStep, Convolution, Weight, add, add_channels, attention, conv2d, geglu, group_norm,
    layer_norm, linear, silu, softmax, upsample_nearest,
};

/// Where operations are tried, and how far from the CPU's f32 they may come out there.
pub(super) struct Route {
    pub(super) device: Device,
    pub(super) dtype: DType,
    pub(super) tolerance: f32,
}

impl Route {
    fn take(&self, x: &Tensor) -> Tensor {
        x.to_device(&self.device).unwrap().to_dtype(self.dtype).unwrap()
    }

    /// What `forward` answers for `inputs`, and the gradients along a random direction.
    fn run(&self, inputs: &[Tensor], forward: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Vec<Tensor> {
        let variables: Vec<Var> =
            inputs.iter().map(|x| Var::from_tensor(&self.take(x)).unwrap()).collect();
        let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
        let answer = forward(&tensors).unwrap();
        let direction = self.take(&random(answer.dims(), 99));
        let along = (&answer * direction).unwrap().to_dtype(DType::F32).unwrap();
        let gradients = along.sum_all().unwrap().backward().unwrap();
        // Where no gradient is asked for, a route may be another.
        let frozen: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
        let mut found = vec![forward(&frozen).unwrap(), answer];
        found.extend(variables.iter().map(|v| gradients.get(v).unwrap().clone()));
        found.iter().map(back).collect()
    }

    /// Holds `forward` against the CPU's kernels, on inputs that both sides hold exactly.
    pub(super) fn hold(&self, inputs: &[Tensor], forward: impl Fn(&[Tensor]) -> Result<Tensor>) {
        let exact: Vec<Tensor> = inputs.iter().map(|x| back(&self.take(x))).collect();
        let kernels = Self { device: Device::Cpu, dtype: DType::F32, tolerance: 0.0 };
        let expected = kernels.run(&exact, &forward);
        for (ours, theirs) in self.run(&exact, &forward).iter().zip(&expected) {
            assert_close(ours, theirs, self.tolerance);
        }
    }

    /// Holds every operation, over sizes of many kinds.
    pub(super) fn hold_every_operation(&self) {
        for (batch, channels, out, size, kernel, stride, padding) in [
            (1, 1, 1, 5, 3, 1, 1),
            (3, 5, 7, 9, 3, 1, 1),
            (2, 4, 6, 8, 3, 2, 1),
            (2, 3, 5, 7, 3, 2, 0),
            (5, 6, 3, 4, 1, 1, 0),
            (2, 3, 4, 6, 2, 2, 0),
            (2, 3, 4, 5, 1, 2, 1),
        ] {
            let x = random(&[batch, size, size + 3, channels], 1);
            let convolution = Convolution { stride, padding };
            let w = random(&[out, channels, kernel, kernel], 2);
            let b = random(&[out], 3);
            self.hold(&[x.clone(), w.clone(), b], |t| {
                conv2d(&t[0], &Weight::new(t[1].clone())?, Some(&t[2]), convolution)
            });
            self.hold(&[x, w], |t| conv2d(&t[0], &Weight::new(t[1].clone())?, None, convolution));
        }
        for (shape, groups) in [([2, 3, 2, 4], 2), ([3, 7, 5, 12], 3), ([2, 4, 4, 32], 32)] {
            let inputs = [random(&shape, 1), random(&shape[3..], 2), random(&shape[3..], 3)];
            for silu in [false, true] {
                self.hold(&inputs, |t| group_norm(&t[0], &t[1], &t[2], groups, 1e-5, silu));
            }
        }
        for width in [7, 64, 1000] {
            let rows = random(&[3, 5, width], 1);
            let inputs = [rows.clone(), random(&[width], 2), random(&[width], 3)];
            self.hold(&inputs, |t| layer_norm(&t[0], &t[1], &t[2], 1e-5));
            self.hold(&[(rows * 4.0).unwrap()], |t| softmax(&t[0]));
        }
        for (shape, output) in [(&[3, 5][..], 7), (&[2, 9, 64], 33)] {
            let input = shape[shape.len() - 1];
            let inputs = [random(shape, 1), random(&[output, input], 2), random(&[output], 3)];
            self.hold(&inputs, |t| linear(&t[0], &Weight::new(t[1].clone())?, Some(&t[2])));
            self.hold(&inputs[..2], |t| linear(&t[0], &Weight::new(t[1].clone())?, None));
        }
        for (n, m, heads, width) in [(5, 7, 2, 3), (40, 77, 4, 16)] {
            let make = |length: usize, seed: u64| random(&[2, length, heads * width], seed);
            let inputs = [make(n, 1), make(m, 2), make(m, 3)];
            self.hold(&inputs, |t| attention(&t[0], &t[1], &t[2], heads, None));
            let mask = (random(&[n, m], 4) * 2.0).unwrap();
            self.hold(&inputs, |t| {
                let mask = mask.to_device(t[0].device())?.to_dtype(t[0].dtype())?;
                attention(&t[0], &t[1], &t[2], heads, Some(&mask))
            });
        }
        let maps = [random(&[2, 3, 4, 5], 1), random(&[2, 3, 4, 5], 2)];
        self.hold(&maps, |t| add(&t[0], &t[1]));
        self.hold(&[maps[0].clone(), random(&[2, 5], 3)], |t| add_channels(&t[0], &t[1]));
        for (height, width) in [(6, 8), (5, 7), (3, 4)] {
            self.hold(&maps[..1], |t| upsample_nearest(&t[0], height, width));
            // With another way for the gradient to come back.
            self.hold(&maps[..1], |t| {
                upsample_nearest(&t[0], height, width)?.narrow(1, 0, 3)?.narrow(2, 0, 4)? + &t[0]
            });
        }
        let x = (random(&[7, 38], 1) * 4.0).unwrap();
        self.hold(std::slice::from_ref(&x), |t| silu(&t[0]));
        self.hold(&[x], |t| geglu(&t[0]));
    }

    /// Holds an optimiser's steps against the CPU's.
    pub(super) fn hold_optimiser(&self) {
        let (start, target) = (random(&[37, 5], 1), random(&[37, 5], 2));
        let train = |route: &Self| {
            let weight = Var::from_tensor(&route.take(&start)).unwrap();
            let state = AdamW::new(weight.as_tensor()).unwrap();
            for step in 1..=5 {
                let numbers = AdamWStep {
                    step,
                    learning_rate: 1e-2,
                    beta1: 0.9,
                    beta2: 0.99,
                    epsilon: 1e-8,
                    weight_decay: 0.1,
                    gradient_scale: 0.5,
                    average_decay: 0.9,
                };
                let gradient = (weight.as_tensor().detach() - route.take(&target)).unwrap();
                state.apply(&weight, &gradient, numbers).unwrap();
            }
            [back(weight.as_tensor()), back(&state.average().unwrap())]
        };
        let kernels = Self { device: Device::Cpu, dtype: DType::F32, tolerance: 0.0 };
        for (ours, theirs) in train(self).iter().zip(&train(&kernels)) {
            assert_close(ours, theirs, self.tolerance);
        }
    }
}

/// On the CPU, in f32.
fn back(x: &Tensor) -> Tensor {
    x.detach().to_device(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap()
}

#[test]
fn double_precision_takes_another_route_to_the_same_numbers() {
    let route = Route { device: Device::Cpu, dtype: DType::F64, tolerance: 2e-5 };
    route.hold_every_operation();
    route.hold_optimiser();
}

#[test]
fn another_route_makes_no_gradient_of_what_is_frozen() {
    type Product<'a> = &'a dyn Fn(&Tensor, &Tensor) -> Tensor;

    let make = |shape: &[usize], seed| random(shape, seed).to_dtype(DType::F64).unwrap();
    let convolution = Convolution { stride: 2, padding: 1 };
    let convolve = |x: &Tensor, w: &Tensor| {
        conv2d(x, &Weight::new(w.clone()).unwrap(), None, convolution).unwrap()
    };
    let multiply =
        |x: &Tensor, w: &Tensor| linear(x, &Weight::new(w.clone()).unwrap(), None).unwrap();
    let products: [(Product, Tensor, Tensor); 2] = [
        (&convolve, make(&[2, 4, 6, 3], 1), make(&[5, 3, 3, 3], 2)),
        (&multiply, make(&[4, 6], 1), make(&[5, 6], 2)),
    ];
    for (product, x, w) in products {
        let (moving_x, moving_w) = (Var::from_tensor(&x).unwrap(), Var::from_tensor(&w).unwrap());
        let gradients = product(&moving_x, &w).sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&moving_x).is_some() && gradients.get(&w).is_none());
        let gradients = product(&x, &moving_w).sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&moving_w).is_some() && gradients.get(&x).is_none());
    }
}

#[test]
fn half_precision_comes_near() {
    // candle multiplies no bf16 on the CPU.
    Route { device: Device::Cpu, dtype: DType::F16, tolerance: 1e-2 }.hold_every_operation();
}
