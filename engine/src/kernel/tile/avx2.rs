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

/// One row of a step of pairs: the pair into every lane, and its products with the panel's registers, which are added two
/// by two.
macro_rules! row_of_pairs {
    ($row:literal, $($sum:literal $right:literal)*) => {
        concat!(
            "vpbroadcastd ymm15, dword ptr [{", $row, "} + {k}]\n",
            $(
                "vpmaddwd ymm14, ymm15, ", $right, "\n",
                "vpaddd ", $sum, ", ", $sum, ", ymm14\n",
            )*
        )
    };
}

/// Two registers of a row's sums, scaled and added to the tile.
macro_rules! scale_row {
    ($scale:literal, $tile:literal, $first:literal, $second:literal) => {
        concat!(
            "vbroadcastss ymm15, dword ptr [{scales} + ",
            $scale,
            "]\n",
            "vcvtdq2ps ",
            $first,
            ", ",
            $first,
            "\n",
            "vcvtdq2ps ",
            $second,
            ", ",
            $second,
            "\n",
            "vmulps ",
            $first,
            ", ",
            $first,
            ", ymm15\n",
            "vmulps ",
            $second,
            ", ",
            $second,
            ", ymm15\n",
            "vaddps ",
            $first,
            ", ",
            $first,
            ", ymmword ptr [{tile} + ",
            $tile,
            "]\n",
            "vaddps ",
            $second,
            ", ",
            $second,
            ", ymmword ptr [{tile} + ",
            $tile,
            " + 32]\n",
            "vmovups ymmword ptr [{tile} + ",
            $tile,
            "], ",
            $first,
            "\n",
            "vmovups ymmword ptr [{tile} + ",
            $tile,
            " + 32], ",
            $second,
            "\n",
        )
    };
}

/// A step is two numbers of 16 bits, multiplied with two bytes of the panel that are widened to as many: sums of two such
/// products fit into 32 bits, where `vpmaddubsw` would cut those of bytes off at 16.
///
/// # Safety
/// As [`super::int8::Run`] says.
#[allow(unsafe_code)]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn pairs(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u8,
    vectors: usize,
    _start: *const i32,
    scales: &[f32; ROWS],
    tile: &mut Tile,
) {
    debug_assert!(steps > 0);
    let stride = 2 * LANES * vectors;
    let tiles = tile.0.chunks_exact_mut(TOGETHER);
    for ((rows, scales), sums) in
        rows.chunks_exact(TOGETHER).zip(scales.chunks_exact(TOGETHER)).zip(tiles)
    {
        for column in (0..LANES * vectors).step_by(LANES) {
            // SAFETY: the loop reads 4 × steps bytes of each row, and 16 columns below `16 × vectors` of the panel at each
            // of as many strides, for which the caller vouches; four rows of the tile have room for as many columns.
            unsafe {
                let panel = panel.add(2 * column);
                let sums = sums.as_mut_ptr().cast::<f32>().add(column);
                asm!(
                    "vpxor xmm0, xmm0, xmm0",
                    "vpxor xmm1, xmm1, xmm1",
                    "vpxor xmm2, xmm2, xmm2",
                    "vpxor xmm3, xmm3, xmm3",
                    "vpxor xmm4, xmm4, xmm4",
                    "vpxor xmm5, xmm5, xmm5",
                    "vpxor xmm6, xmm6, xmm6",
                    "vpxor xmm7, xmm7, xmm7",
                    "2:",
                    "vpmovsxbw ymm12, xmmword ptr [{panel} + 0]",
                    "vpmovsxbw ymm13, xmmword ptr [{panel} + 16]",
                    row_of_pairs!("p0", "ymm0" "ymm12" "ymm1" "ymm13"),
                    row_of_pairs!("p1", "ymm2" "ymm12" "ymm3" "ymm13"),
                    row_of_pairs!("p2", "ymm4" "ymm12" "ymm5" "ymm13"),
                    row_of_pairs!("p3", "ymm6" "ymm12" "ymm7" "ymm13"),
                    "add {panel}, {stride}",
                    "add {k}, 4",
                    "cmp {k}, {end}",
                    "jb 2b",
                    scale_row!("0", "0", "ymm0", "ymm1"),
                    scale_row!("4", "192", "ymm2", "ymm3"),
                    scale_row!("8", "384", "ymm4", "ymm5"),
                    scale_row!("12", "576", "ymm6", "ymm7"),
                    p0 = in(reg) rows[0],
                    p1 = in(reg) rows[1],
                    p2 = in(reg) rows[2],
                    p3 = in(reg) rows[3],
                    panel = inout(reg) panel => _,
                    stride = in(reg) stride,
                    k = inout(reg) 0usize => _,
                    end = in(reg) 4 * steps,
                    scales = in(reg) scales.as_ptr(),
                    tile = in(reg) sums,
                    out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
                    out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
                    out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                    options(nostack),
                );
            }
        }
    }
}
