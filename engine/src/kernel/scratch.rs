//! Memory that kernels need for a moment, kept for the next one: to have fresh pages costs more than to write there.

use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `length` numbers of any value to `work`.
pub(super) fn with_scratch<R>(length: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken out, for `work` may ask as well, and so may what this thread computes while it waits.
    let mut memory = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
    if memory.len() < length {
        // Freed first, so that the old does not stand beside the new.
        drop(std::mem::take(&mut memory));
        memory = vec![0.0; length];
    }
    let answer = work(&mut memory[..length]);
    KEPT.with_borrow_mut(|kept| kept.push(memory));
    answer
}
