//! Tiles of AVX2: four rows by up to 24 columns at a time stay in registers.
//!
//! In assembly, as those of AVX-512: compilers spill the sums of the intrinsics' form.

use std::arch::asm;

use super::{LANES, ROWS, Tile};

/// Rows that are summed together.
const TOGETHER: usize = 4;
/// Lanes of a register.
const HALF: usize = LANES / 2;

/// One row of a step: the row's value into every lane, and its products with the panel's registers.
macro_rules! row {
    ($row:literal, $($sum:literal $right:literal)*) => {
        concat!(
            "vbroadcastss ymm15, dword ptr [{", $row, "} + {k}]\n",
            $("vfmadd231ps ", $sum, ", ymm15, ", $right, "\n",)*
        )
    };
}

/// The loop over a run, two registers wide.
macro_rules! loop_of_two {
    ($rows:expr, $steps:expr, $panel:expr, $stride:expr, $tile:expr) => {
        asm!(
            "vmovups ymm0, ymmword ptr [{tile} + 0]",
            "vmovups ymm1, ymmword ptr [{tile} + 32]",
            "vmovups ymm3, ymmword ptr [{tile} + 192]",
            "vmovups ymm4, ymmword ptr [{tile} + 224]",
            "vmovups ymm6, ymmword ptr [{tile} + 384]",
            "vmovups ymm7, ymmword ptr [{tile} + 416]",
            "vmovups ymm9, ymmword ptr [{tile} + 576]",
            "vmovups ymm10, ymmword ptr [{tile} + 608]",
            "2:",
            "vmovups ymm12, ymmword ptr [{panel} + 0]",
            "vmovups ymm13, ymmword ptr [{panel} + 32]",
            row!("p0", "ymm0" "ymm12" "ymm1" "ymm13"),
            row!("p1", "ymm3" "ymm12" "ymm4" "ymm13"),
            row!("p2", "ymm6" "ymm12" "ymm7" "ymm13"),
            row!("p3", "ymm9" "ymm12" "ymm10" "ymm13"),
            "add {panel}, {stride}",
            "add {k}, 4",
            "cmp {k}, {end}",
            "jb 2b",
            "vmovups ymmword ptr [{tile} + 0], ymm0",
            "vmovups ymmword ptr [{tile} + 32], ymm1",
            "vmovups ymmword ptr [{tile} + 192], ymm3",
            "vmovups ymmword ptr [{tile} + 224], ymm4",
            "vmovups ymmword ptr [{tile} + 384], ymm6",
            "vmovups ymmword ptr [{tile} + 416], ymm7",
            "vmovups ymmword ptr [{tile} + 576], ymm9",
            "vmovups ymmword ptr [{tile} + 608], ymm10",
            p0 = in(reg) $rows[0],
            p1 = in(reg) $rows[1],
            p2 = in(reg) $rows[2],
            p3 = in(reg) $rows[3],
            panel = inout(reg) $panel => _,
            stride = in(reg) $stride,
            k = inout(reg) 0usize => _,
            end = in(reg) 4 * $steps,
            tile = in(reg) $tile,
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
            out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
            out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
            out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
            options(nostack),
        )
    };
}

/// The loop over a run, three registers wide.
macro_rules! loop_of_three {
    ($rows:expr, $steps:expr, $panel:expr, $stride:expr, $tile:expr) => {
        asm!(
            "vmovups ymm0, ymmword ptr [{tile} + 0]",
            "vmovups ymm1, ymmword ptr [{tile} + 32]",
            "vmovups ymm2, ymmword ptr [{tile} + 64]",
            "vmovups ymm3, ymmword ptr [{tile} + 192]",
            "vmovups ymm4, ymmword ptr [{tile} + 224]",
            "vmovups ymm5, ymmword ptr [{tile} + 256]",
            "vmovups ymm6, ymmword ptr [{tile} + 384]",
            "vmovups ymm7, ymmword ptr [{tile} + 416]",
            "vmovups ymm8, ymmword ptr [{tile} + 448]",
            "vmovups ymm9, ymmword ptr [{tile} + 576]",
            "vmovups ymm10, ymmword ptr [{tile} + 608]",
            "vmovups ymm11, ymmword ptr [{tile} + 640]",
            "2:",
            "vmovups ymm12, ymmword ptr [{panel} + 0]",
            "vmovups ymm13, ymmword ptr [{panel} + 32]",
            "vmovups ymm14, ymmword ptr [{panel} + 64]",
            row!("p0", "ymm0" "ymm12" "ymm1" "ymm13" "ymm2" "ymm14"),
            row!("p1", "ymm3" "ymm12" "ymm4" "ymm13" "ymm5" "ymm14"),
            row!("p2", "ymm6" "ymm12" "ymm7" "ymm13" "ymm8" "ymm14"),
            row!("p3", "ymm9" "ymm12" "ymm10" "ymm13" "ymm11" "ymm14"),
            "add {panel}, {stride}",
            "add {k}, 4",
            "cmp {k}, {end}",
            "jb 2b",
            "vmovups ymmword ptr [{tile} + 0], ymm0",
            "vmovups ymmword ptr [{tile} + 32], ymm1",
            "vmovups ymmword ptr [{tile} + 64], ymm2",
            "vmovups ymmword ptr [{tile} + 192], ymm3",
            "vmovups ymmword ptr [{tile} + 224], ymm4",
            "vmovups ymmword ptr [{tile} + 256], ymm5",
            "vmovups ymmword ptr [{tile} + 384], ymm6",
            "vmovups ymmword ptr [{tile} + 416], ymm7",
            "vmovups ymmword ptr [{tile} + 448], ymm8",
            "vmovups ymmword ptr [{tile} + 576], ymm9",
            "vmovups ymmword ptr [{tile} + 608], ymm10",
            "vmovups ymmword ptr [{tile} + 640], ymm11",
            p0 = in(reg) $rows[0],
            p1 = in(reg) $rows[1],
            p2 = in(reg) $rows[2],
            p3 = in(reg) $rows[3],
            panel = inout(reg) $panel => _,
            stride = in(reg) $stride,
            k = inout(reg) 0usize => _,
            end = in(reg) 4 * $steps,
            tile = in(reg) $tile,
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
            out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
            out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
            out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
            options(nostack),
        )
    };
}

/// # Safety
/// As [`super::Run`] says.
#[allow(unsafe_code)]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn single(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u32,
    stride: usize,
    vectors: usize,
    tile: &mut Tile,
) {
    debug_assert!(steps > 0);
    let each = if vectors == 3 { 3 * HALF } else { 2 * HALF };
    for (rows, sums) in rows.chunks_exact(TOGETHER).zip(tile.0.chunks_exact_mut(TOGETHER)) {
        for column in (0..LANES * vectors).step_by(each) {
            // SAFETY: the loop reads 4 × steps bytes of each row and columns below `16 × vectors` of the panel at each of
            // as many strides, for which the caller vouches; four rows of the tile have room for as many columns.
            unsafe {
                let panel = panel.add(column);
                let sums = sums.as_mut_ptr().cast::<f32>().add(column);
                if vectors == 3 {
                    loop_of_three!(rows, steps, panel, stride, sums);
                } else {
                    loop_of_two!(rows, steps, panel, stride, sums);
                }
            }
        }
    }
}
