//! The heads of an attention, and where each finds its numbers.

/// The sizes of an attention: `n` queries and `m` keys, heads of `width`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) n: usize,
    pub(super) m: usize,
    pub(super) width: usize,
}

impl Sizes {
    pub(super) fn inner(&self) -> usize {
        self.heads * self.width
    }

    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// The part of a query's or a key's numbers that a head sees: `row` of `length` in image `batch`.
    pub(super) fn head<'a, E>(
        &self,
        x: &'a [E],
        length: usize,
        [batch, head]: [usize; 2],
        row: usize,
    ) -> &'a [E] {
        let start = (batch * length + row) * self.inner() + head * self.width;
        &x[start..start + self.width]
    }
}
