//! A tape changes no gradient, and holds no more than a piece at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Var};

use super::*;

/// How many intermediates of a kind live.
#[derive(Default)]
struct Live {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Answers what it is given. candle holds it as long as the answer's history, and it counts itself.
struct Counted(Arc<Live>);

impl Counted {
    fn new(live: &Arc<Live>) -> Self {
        let now = live.now.fetch_add(1, Ordering::Relaxed) + 1;
        live.most.fetch_max(now, Ordering::Relaxed);
        Self(live.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CustomOp1 for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (from, to) = layout.contiguous_offsets().unwrap();
        let values = x.as_slice::<f32>()?[from..to].to_vec();
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _answer: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.clone()))
    }
}

/// Weights of pieces, and of what lies around them.
struct Chain {
    pieces: Vec<Var>,
    before: Var,
    shared: Var,
    apart: Var,
    live: Arc<Live>,
}

const PIECES: usize = 6;
const EACH: usize = 3;

impl Chain {
    fn new() -> Self {
        // Small, so that no gradient is lost on the way through all the pieces.
        let weight = |seed| Var::from_tensor(&(random(&[4, 4], seed) * 0.3).unwrap()).unwrap();
        Self {
            pieces: (0..PIECES as u64).map(|piece| weight(10 + piece)).collect(),
            before: weight(1),
            shared: weight(2),
            apart: weight(3),
            live: Arc::default(),
        }
    }

    fn variables(&self) -> Vec<&Var> {
        self.pieces.iter().chain([&self.before, &self.shared, &self.apart]).collect()
    }

    /// Pieces one after the other. Each takes what the two before it answered, as skip connections do, and
    /// something computed outside, as every block takes the time; between them something is added outside.
    fn loss<'a>(&'a self, tape: Option<&Tape<'a>>) -> Tensor {
        let frozen = random(&[4, 4], 20).detach();
        let start =
            Tape::run(tape, &[&random(&[3, 4], 21).detach()], move |x| x[0].matmul(&frozen));
        let start = start.unwrap();
        assert!(!start.track_op(), "nothing is trained up to here");
        let outside = start.matmul(&self.before).unwrap().tanh().unwrap();
        let (mut last, mut x) = (start, outside.clone());
        for weight in &self.pieces {
            let next = Tape::run(tape, &[&x, &last, &outside], move |inputs| {
                let [x, last, outside] = inputs else { unreachable!() };
                let mut y = (x.matmul(weight)? + last.matmul(&self.shared)?)?;
                for _ in 0..EACH {
                    y = (y.apply_op1(Counted::new(&self.live))? + outside)?.tanh()?;
                }
                Ok(y)
            });
            last = x;
            x = (next.unwrap() + last.matmul(&self.apart).unwrap()).unwrap();
        }
        // Asked for, and of no use to the loss.
        Tape::run(tape, &[&x], move |x| x[0].matmul(&self.shared)).unwrap();
        (x + outside).unwrap().sqr().unwrap().mean_all().unwrap()
    }

    fn now(&self) -> usize {
        self.live.now.load(Ordering::Relaxed)
    }

    fn most(&self) -> usize {
        self.live.most.swap(0, Ordering::Relaxed)
    }
}

fn gradients(chain: &Chain, found: &GradStore) -> Vec<Vec<f32>> {
    chain.variables().into_iter().map(|variable| flat(found.get(variable).unwrap())).collect()
}

#[test]
fn a_tape_changes_no_gradient_and_holds_a_piece_at_a_time() {
    let chain = Chain::new();
    let loss = chain.loss(None);
    assert_eq!(chain.now(), PIECES * EACH, "candle keeps all");
    let expected = gradients(&chain, &loss.backward().unwrap());
    assert!(expected.iter().all(|gradient| gradient.iter().any(|value| value.abs() > 1e-4)));
    let value = flat(&loss.flatten_all().unwrap());
    drop(loss);
    assert_eq!((chain.now(), chain.most()), (0, PIECES * EACH));

    let tape = Tape::new();
    let loss = chain.loss(Some(&tape));
    assert_eq!(flat(&loss.flatten_all().unwrap()), value);
    assert_eq!((chain.now(), chain.most()), (0, EACH), "on the way forward");
    let store = tape.backward(&loss).unwrap();
    let found = gradients(&chain, &store);
    assert_eq!((chain.now(), chain.most()), (0, EACH), "on the way back");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(close(found, expected), "{found:?}, and {expected:?} without a tape");
    }
}

#[test]
fn a_loss_without_pieces_has_the_gradients_that_it_has() {
    let variable = Var::from_tensor(&random(&[4], 1)).unwrap();
    let loss = variable.sqr().unwrap().sum_all().unwrap();
    let found = Tape::new().backward(&loss).unwrap();
    assert_eq!(flat(found.get(&variable).unwrap()), flat(&(variable.as_tensor() * 2.0).unwrap()));
}
