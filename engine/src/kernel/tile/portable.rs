//! Tiles in plain Rust.

use super::{COLUMNS, LANES, ROWS, Tile};

/// # Safety
/// As [`super::Run`] says.
#[allow(unsafe_code)]
pub(super) unsafe fn single(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u32,
    vectors: usize,
    tile: &mut Tile,
) {
    let width = LANES * vectors;
    debug_assert!(width <= COLUMNS);
    for step in 0..steps {
        for (row, sums) in rows.iter().zip(&mut tile.0) {
            // SAFETY: the caller vouches for `steps` values of the row and `steps × width` of the panel.
            let (left, right) = unsafe {
                (
                    row.cast::<f32>().add(step).read_unaligned(),
                    std::slice::from_raw_parts(panel.cast::<f32>().add(step * width), width),
                )
            };
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
}
