//! Memory that kernels need for a moment, kept for the next one: to have fresh pages costs more than to write there.
//!
//! What a thread has lent it keeps until it ends: as many pieces as were ever lent at once, none larger than the largest
//! that was asked for. Kernels ask for about 64 MB at most, however large a map is.

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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Vec<usize> {
        KEPT.with_borrow(|kept| kept.iter().map(Vec::len).collect())
    }

    #[test]
    fn what_was_lent_is_lent_again() {
        // Every test has a thread of its own.
        assert!(kept().is_empty());
        with_scratch(5, |outer| {
            outer.fill(1.0);
            with_scratch(3, |inner| {
                assert_eq!(inner.len(), 3);
                inner.fill(2.0);
            });
            assert_eq!(outer, [1.0; 5], "two that are lent at once lie apart");
        });
        assert_eq!(kept(), [3, 5]);
        with_scratch(4, |memory| assert_eq!(memory, [1.0; 4]));
        with_scratch(6, |memory| assert_eq!(memory.len(), 6));
        assert_eq!(kept(), [3, 6], "the larger in place of the smaller");
    }
}
