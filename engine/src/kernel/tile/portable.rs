//! Tiles in plain Rust.

use super::int8::IntTile;
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

/// A step is two numbers of 16 bits, multiplied with two bytes of the panel.
///
/// # Safety
/// As [`super::int8::Run`] says.
#[allow(unsafe_code)]
pub(super) unsafe fn pairs(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u8,
    vectors: usize,
    _start: *const i32,
    scales: &[f32; ROWS],
    tile: &mut Tile,
) {
    let width = LANES * vectors;
    let mut sums = IntTile::starting(&[]);
    for step in 0..steps {
        // SAFETY: the caller vouches for two bytes of every column of the panel at each step.
        let right = unsafe { std::slice::from_raw_parts(panel.add(2 * width * step), 2 * width) };
        for (row, sums) in rows.iter().zip(&mut sums.0) {
            // SAFETY: the caller vouches for `steps` steps of the row.
            let left = unsafe { row.add(step).read_unaligned() };
            let [first, second] = [left as i16, (left >> 16) as i16].map(i32::from);
            for (sum, right) in sums.iter_mut().zip(right.as_chunks::<2>().0) {
                let [one, other] = right.map(|byte| i32::from(byte as i8));
                *sum += first * one + second * other;
            }
        }
    }
    sums.add_to(tile, scales, vectors);
}

/// A step is four bytes without a sign, multiplied with four of the panel that have one.
///
/// # Safety
/// As [`super::int8::Run`] says.
#[allow(unsafe_code)]
pub(super) unsafe fn bytes(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u8,
    vectors: usize,
    start: *const i32,
    scales: &[f32; ROWS],
    tile: &mut Tile,
) {
    let width = LANES * vectors;
    // SAFETY: the caller vouches for what the sums start with.
    let mut sums = IntTile::starting(unsafe { std::slice::from_raw_parts(start, width) });
    for step in 0..steps {
        // SAFETY: the caller vouches for four bytes of every column of the panel at each step.
        let right = unsafe { std::slice::from_raw_parts(panel.add(4 * width * step), 4 * width) };
        for (row, sums) in rows.iter().zip(&mut sums.0) {
            // SAFETY: the caller vouches for `steps` steps of the row.
            let left = unsafe { row.add(step).read_unaligned() }.to_le_bytes();
            for (sum, right) in sums.iter_mut().zip(right.as_chunks::<4>().0) {
                for (left, right) in left.iter().zip(right) {
                    *sum += i32::from(*left) * i32::from(*right as i8);
                }
            }
        }
    }
    sums.add_to(tile, scales, vectors);
}
