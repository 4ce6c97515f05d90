use candle_core::{Device, Tensor, Var};

use super::{assert_close, random};
use crate::kernel::{Adafactor, AdafactorStep, AdamW, AdamWStep};

#[test]
fn adamw_agrees_with_candles() {
    use candle_nn::Optimizer;
    let start = random(&[37, 5], 1);
    let (ours, theirs) = (Var::from_tensor(&start).unwrap(), Var::from_tensor(&start).unwrap());
    let parameters = candle_nn::ParamsAdamW { lr: 1e-2, weight_decay: 0.05, ..Default::default() };
    let mut peer = candle_nn::AdamW::new(vec![theirs.clone()], parameters).unwrap();
    let state = AdamW::new(ours.as_tensor()).unwrap();
    let target = random(&[37, 5], 2);
    for step in 1..=20 {
        let loss = |v: &Var| (v.as_tensor() - &target).unwrap().sqr().unwrap().sum_all().unwrap();
        let gradients = loss(&ours).backward().unwrap();
        let numbers = AdamWStep {
            step,
            learning_rate: 1e-2,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.05,
            gradient_scale: 1.0,
            average_decay: 0.0,
        };
        state.apply(&ours, gradients.get(&ours).unwrap(), numbers).unwrap();
        peer.backward_step(&loss(&theirs)).unwrap();
    }
    assert_close(ours.as_tensor(), theirs.as_tensor(), 1e-5);
    // With a decay of 0 the average is the weight.
    assert_close(&state.average().unwrap(), ours.as_tensor(), 1e-6);
    let composed = Var::from_tensor(&start).unwrap();
    let fused = Var::from_tensor(&start).unwrap();
    let numbers = AdamWStep {
        step: 3,
        learning_rate: 1e-2,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.1,
        gradient_scale: 0.5,
        average_decay: 0.9,
    };
    let (one, two) = (AdamW::new(&start).unwrap(), AdamW::new(&start).unwrap());
    one.apply(&fused, &target, numbers).unwrap();
    two.apply_composed(&composed, &target, numbers).unwrap();
    assert_close(fused.as_tensor(), composed.as_tensor(), 1e-6);
    assert_close(one.state.as_tensor(), two.state.as_tensor(), 1e-6);
}

/// PyTorch 2.15:
///
/// ```python
/// def run(shape, wd):
///     n = torch.Size(shape).numel()
///     p = torch.nn.Parameter(torch.cos(0.7 * torch.arange(n, dtype=torch.float32)).reshape(shape))
///     o = torch.optim.Adafactor([p], lr=0.01, weight_decay=wd)
///     for step in range(1, 6):
///         p.grad = torch.sin(0.3 * torch.arange(n, dtype=torch.float32) + step).reshape(shape)
///         o.step()
///     return p
/// ```
#[test]
fn adafactor_agrees_with_pytorchs() {
    let matrix = [
        0.991_294f32,
        0.762_275,
        0.175_103,
        -0.492_597,
        -0.925_285,
        -0.918_271,
        -0.474_109,
        0.198_554,
        0.781_547,
        1.001_498,
        0.752_62,
        0.150_785,
        -0.522_416,
        -0.951_847,
        -0.936_839,
        -0.485_447,
        0.191_286,
        0.770_789,
        0.984_173,
        0.731_192,
        0.131_345,
        -0.532_327,
        -0.946_553,
        -0.915_316,
    ];
    let vector = [0.998_954f32, 0.768_04, 0.176_642, -0.495_706, -0.931_478];
    // A convolution's kernel is a matrix of as many rows as it has outputs.
    let cases: [(&[usize], &[f32], f64); 3] =
        [(&[3, 8], &matrix, 0.1), (&[3, 2, 2, 2], &matrix, 0.1), (&[5], &vector, 0.0)];
    for (shape, expected, weight_decay) in cases {
        let of = |at: &dyn Fn(f32) -> f32| {
            let values: Vec<f32> = (0..expected.len()).map(|index| at(index as f32)).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let weight = Var::from_tensor(&of(&|index| (0.7 * index).cos())).unwrap();
        let rule = Adafactor::new(weight.as_tensor()).unwrap();
        for step in 1..=5u64 {
            // What clipping takes away before is given back: a factor on the gradient.
            let gradient = of(&|index| 2.0 * (0.3 * index + step as f32).sin());
            let numbers =
                AdafactorStep { step, learning_rate: 0.01, weight_decay, gradient_scale: 0.5 };
            rule.apply(&weight, &gradient, numbers).unwrap();
        }
        let expected = Tensor::from_slice(expected, shape, &Device::Cpu).unwrap();
        assert_close(weight.as_tensor(), &expected, 2e-6);
    }
    let weight = Tensor::zeros((64, 32, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(Adafactor::new(&weight).unwrap().state.elem_count(), 64 + 32 * 9);
}
