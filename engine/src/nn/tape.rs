//! Gradients for less memory: what a network computes on the way forward is let go, and computed once more on the
//! way back, a piece at a time (gradient checkpointing; Chen et al., arXiv 1604.06174).
//!
//! candle keeps every intermediate of a forward until the last tensor that hangs on it goes. So the pieces are
//! computed apart from each other: each takes leaves, and what it answers becomes a leaf for what follows. In the
//! end candle's `backward` sees what lies behind the last piece alone, and [`Tape::backward`] goes on from there,
//! from the last piece to the first.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId, Var};

/// A piece of work from its inputs.
type Work<'a> = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + 'a>;

/// What stands behind a leaf.
enum Origin<'a> {
    /// A piece that is computed once more when its gradient is asked for.
    Segment { inputs: Vec<Tensor>, work: Work<'a> },
    /// A tensor that was computed outside of the pieces, with all that candle keeps of how.
    Outside(Tensor),
}

/// The pieces of one forward, in their order. It lives from before the forward to its [`Self::backward`].
#[derive(Default)]
pub struct Tape<'a> {
    notes: RefCell<Vec<(Var, Origin<'a>)>>,
    /// The leaf of each tensor from outside.
    entered: RefCell<HashMap<TensorId, Tensor>>,
}

impl<'a> Tape<'a> {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `work` makes of `inputs`, on `tape` where there is one. `work` must answer the same whenever it is
    /// asked the same: it draws no random numbers, and weights that it reads are not moved before
    /// [`Self::backward`]. It may read tensors that are no inputs, and these get their gradients, too.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn run(
        tape: Option<&Self>,
        inputs: &[&Tensor],
        work: impl Fn(&[Tensor]) -> Result<Tensor> + 'a,
    ) -> Result<Tensor> {
        if let Some(tape) = tape {
            return tape.segment(inputs, work);
        }
        let inputs: Vec<Tensor> = inputs.iter().copied().cloned().collect();
        work(&inputs)
    }

    fn segment(
        &self,
        inputs: &[&Tensor],
        work: impl Fn(&[Tensor]) -> Result<Tensor> + 'a,
    ) -> Result<Tensor> {
        let inputs = inputs.iter().map(|x| self.leaf(x)).collect::<Result<Vec<_>>>()?;
        let answer = work(&inputs)?;
        // Where nothing is trained up to here, there is nothing to come back for.
        if !answer.track_op() {
            return Ok(answer);
        }
        self.note(&answer, Origin::Segment { inputs, work: Box::new(work) })
    }

    /// `x` where gradients end, or a leaf in its place.
    fn leaf(&self, x: &Tensor) -> Result<Tensor> {
        if x.is_variable() || !x.track_op() {
            return Ok(x.clone());
        }
        if let Some(leaf) = self.entered.borrow().get(&x.id()) {
            return Ok(leaf.clone());
        }
        let leaf = self.note(x, Origin::Outside(x.clone()))?;
        self.entered.borrow_mut().insert(x.id(), leaf.clone());
        Ok(leaf)
    }

    /// A leaf with the numbers of `x`.
    fn note(&self, x: &Tensor, origin: Origin<'a>) -> Result<Tensor> {
        let leaf = Var::from_tensor(&x.detach())?;
        let tensor = leaf.as_tensor().clone();
        self.notes.borrow_mut().push((leaf, origin));
        Ok(tensor)
    }

    /// The gradients of `loss`, a scalar of the forward that was noted, for every variable that it hangs on.
    ///
    /// # Errors
    /// Those of the pieces.
    pub fn backward(self, loss: &Tensor) -> Result<GradStore> {
        let mut gradients = loss.backward()?;
        let mut notes = self.notes.into_inner();
        drop(self.entered);
        // What a leaf is used for was noted behind it: its gradient is whole when its turn comes.
        while let Some((leaf, origin)) = notes.pop() {
            let Some(gradient) = gradients.remove(&leaf) else { continue };
            // The leaf's numbers have served.
            drop(leaf);
            let answer = match origin {
                Origin::Segment { inputs, work } => work(&inputs)?,
                Origin::Outside(x) => x,
            };
            let along = (&answer * gradient.detach())?.sum_all()?;
            let mut found = along.backward()?;
            // candle leaves gradients of constants there as well, as large as what they are added to. And some
            // hang on what they were computed from, which is to go now.
            for variable in along.sorted_nodes().into_iter().filter(|node| node.is_variable()) {
                if let Some(more) = found.remove(variable) {
                    let sum = match gradients.remove(variable) {
                        Some(before) => (before + more)?,
                        None => more,
                    };
                    gradients.insert(variable, sum.detach());
                }
            }
        }
        Ok(gradients)
    }
}
