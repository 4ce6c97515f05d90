//! Memory that tasks fill side by side, each in places of its own.

use std::marker::PhantomData;

/// Memory whose parts are written by several tasks at once.
pub(super) struct Scattered<'a, T> {
    start: *mut T,
    length: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: who takes a part vouches that no two tasks have the same place.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Scattered<'_, T> {}

impl<'a, T: Copy> Scattered<'a, T> {
    /// The parts of a slice.
    pub(super) fn new(values: &'a mut [T]) -> Self {
        Self { start: values.as_mut_ptr(), length: values.len(), memory: PhantomData }
    }

    /// The parts of memory that may hold anything.
    ///
    /// # Safety
    /// `start` must lead to room for `length` values that nobody else has for as long as this lives.
    #[allow(unsafe_code)]
    pub(super) unsafe fn of(start: *mut T, length: usize) -> Self {
        Self { start, length, memory: PhantomData }
    }

    /// Writes `values` from place `start` on.
    ///
    /// # Safety
    /// No other task may have any of these places.
    #[allow(unsafe_code)]
    pub(super) unsafe fn put(&self, start: usize, values: impl ExactSizeIterator<Item = T>) {
        let length = values.len();
        assert!(start <= self.length && length <= self.length - start, "outside of the memory");
        for (offset, value) in values.take(length).enumerate() {
            // SAFETY: the place was just seen to lie inside; the caller vouches that it is ours.
            unsafe { self.start.add(start + offset).write(value) };
        }
    }

    /// The part of `length` from `start` on, to be read and written.
    ///
    /// # Safety
    /// No two parts that live at once may overlap, and what lies there must have been written before.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    pub(super) unsafe fn part(&self, start: usize, length: usize) -> &mut [T] {
        assert!(start <= self.length && length <= self.length - start, "outside of the memory");
        // SAFETY: it was just seen to lie inside; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) }
    }
}
