use candle_core::Var;

use super::{assert_close, random};
use crate::kernel::{AdamW, AdamWStep};

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
