//! Tiles in plain Rust.

use super::{COLUMNS, LANES, ROWS, Tile};

/// # Safety
/// As [`super::Run`] says.
#[allow(unsafe_code)]
pub(super) unsafe fn single(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u32,
    stride: usize,
    vectors: usize,
    tile: &mut Tile,
) {
    let width = LANES * vectors;
    debug_assert!(width <= COLUMNS);
    for step in 0..steps {
        for (row, sums) in rows.iter().zip(&mut tile.0) {
            // SAFETY: the caller vouches for `steps` values of the row and `width` of the panel
            // at every stride.
            let (left, right) = unsafe {
                (
                    row.cast::<f32>().add(step).read_unaligned(),
                    std::slice::from_raw_parts(panel.byte_add(step * stride).cast::<f32>(), width),
                )
            };
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
}
