//! Tiles of AVX-512: all 8 × 48 sums stay in 24 registers.
//!
//! The loop is written in assembly: the same tile in intrinsics spills registers, and runs at half the speed.

use std::arch::asm;

use super::int8::IntTile;
use super::{LANES, ROWS, Tile};

/// One row of a step: the row's value into every lane, and its products with the panel's vectors.
macro_rules! row {
    ($broadcast:literal, $product:literal, $row:literal, $left:literal, $($sum:literal $right:literal)*) => {
        concat!(
            $broadcast, " ", $left, ", dword ptr [{", $row, "} + {k}]\n",
            $($product, " ", $sum, ", ", $left, ", ", $right, "\n",)*
        )
    };
}

/// The loop over a run, 1 vector wide.
macro_rules! loop_of_one {
    ($broadcast:literal, $product:literal, $rows:expr, $steps:expr, $panel:expr, $stride:expr, $tile:expr) => {
        asm!(
            "vmovaps zmm0, zmmword ptr [{tile} + 0]",
            "vmovaps zmm1, zmmword ptr [{tile} + 192]",
            "vmovaps zmm2, zmmword ptr [{tile} + 384]",
            "vmovaps zmm3, zmmword ptr [{tile} + 576]",
            "vmovaps zmm4, zmmword ptr [{tile} + 768]",
            "vmovaps zmm5, zmmword ptr [{tile} + 960]",
            "vmovaps zmm6, zmmword ptr [{tile} + 1152]",
            "vmovaps zmm7, zmmword ptr [{tile} + 1344]",
            "2:",
            "vmovups zmm24, zmmword ptr [{panel} + 0]",
            row!($broadcast, $product, "p0", "zmm27", "zmm0" "zmm24"),
            row!($broadcast, $product, "p1", "zmm28", "zmm1" "zmm24"),
            row!($broadcast, $product, "p2", "zmm29", "zmm2" "zmm24"),
            row!($broadcast, $product, "p3", "zmm30", "zmm3" "zmm24"),
            row!($broadcast, $product, "p4", "zmm31", "zmm4" "zmm24"),
            row!($broadcast, $product, "p5", "zmm27", "zmm5" "zmm24"),
            row!($broadcast, $product, "p6", "zmm28", "zmm6" "zmm24"),
            row!($broadcast, $product, "p7", "zmm29", "zmm7" "zmm24"),
            "add {panel}, {stride}",
            "add {k}, 4",
            "cmp {k}, {end}",
            "jb 2b",
            "vmovaps zmmword ptr [{tile} + 0], zmm0",
            "vmovaps zmmword ptr [{tile} + 192], zmm1",
            "vmovaps zmmword ptr [{tile} + 384], zmm2",
            "vmovaps zmmword ptr [{tile} + 576], zmm3",
            "vmovaps zmmword ptr [{tile} + 768], zmm4",
            "vmovaps zmmword ptr [{tile} + 960], zmm5",
            "vmovaps zmmword ptr [{tile} + 1152], zmm6",
            "vmovaps zmmword ptr [{tile} + 1344], zmm7",
            p0 = in(reg) $rows[0],
            p1 = in(reg) $rows[1],
            p2 = in(reg) $rows[2],
            p3 = in(reg) $rows[3],
            p4 = in(reg) $rows[4],
            p5 = in(reg) $rows[5],
            p6 = in(reg) $rows[6],
            p7 = in(reg) $rows[7],
            panel = inout(reg) $panel => _,
            stride = in(reg) $stride,
            k = inout(reg) 0usize => _,
            end = in(reg) 4 * $steps,
            tile = in(reg) $tile,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
            out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _,
            out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
            out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
            out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
            out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
            options(nostack),
        )
    };
}

/// The loop over a run, 2 vectors wide.
macro_rules! loop_of_two {
    ($broadcast:literal, $product:literal, $rows:expr, $steps:expr, $panel:expr, $stride:expr, $tile:expr) => {
        asm!(
            "vmovaps zmm0, zmmword ptr [{tile} + 0]",
            "vmovaps zmm1, zmmword ptr [{tile} + 64]",
            "vmovaps zmm2, zmmword ptr [{tile} + 192]",
            "vmovaps zmm3, zmmword ptr [{tile} + 256]",
            "vmovaps zmm4, zmmword ptr [{tile} + 384]",
            "vmovaps zmm5, zmmword ptr [{tile} + 448]",
            "vmovaps zmm6, zmmword ptr [{tile} + 576]",
            "vmovaps zmm7, zmmword ptr [{tile} + 640]",
            "vmovaps zmm8, zmmword ptr [{tile} + 768]",
            "vmovaps zmm9, zmmword ptr [{tile} + 832]",
            "vmovaps zmm10, zmmword ptr [{tile} + 960]",
            "vmovaps zmm11, zmmword ptr [{tile} + 1024]",
            "vmovaps zmm12, zmmword ptr [{tile} + 1152]",
            "vmovaps zmm13, zmmword ptr [{tile} + 1216]",
            "vmovaps zmm14, zmmword ptr [{tile} + 1344]",
            "vmovaps zmm15, zmmword ptr [{tile} + 1408]",
            "2:",
            "vmovups zmm24, zmmword ptr [{panel} + 0]",
            "vmovups zmm25, zmmword ptr [{panel} + 64]",
            row!($broadcast, $product, "p0", "zmm27", "zmm0" "zmm24" "zmm1" "zmm25"),
            row!($broadcast, $product, "p1", "zmm28", "zmm2" "zmm24" "zmm3" "zmm25"),
            row!($broadcast, $product, "p2", "zmm29", "zmm4" "zmm24" "zmm5" "zmm25"),
            row!($broadcast, $product, "p3", "zmm30", "zmm6" "zmm24" "zmm7" "zmm25"),
            row!($broadcast, $product, "p4", "zmm31", "zmm8" "zmm24" "zmm9" "zmm25"),
            row!($broadcast, $product, "p5", "zmm27", "zmm10" "zmm24" "zmm11" "zmm25"),
            row!($broadcast, $product, "p6", "zmm28", "zmm12" "zmm24" "zmm13" "zmm25"),
            row!($broadcast, $product, "p7", "zmm29", "zmm14" "zmm24" "zmm15" "zmm25"),
            "add {panel}, {stride}",
            "add {k}, 4",
            "cmp {k}, {end}",
            "jb 2b",
            "vmovaps zmmword ptr [{tile} + 0], zmm0",
            "vmovaps zmmword ptr [{tile} + 64], zmm1",
            "vmovaps zmmword ptr [{tile} + 192], zmm2",
            "vmovaps zmmword ptr [{tile} + 256], zmm3",
            "vmovaps zmmword ptr [{tile} + 384], zmm4",
            "vmovaps zmmword ptr [{tile} + 448], zmm5",
            "vmovaps zmmword ptr [{tile} + 576], zmm6",
            "vmovaps zmmword ptr [{tile} + 640], zmm7",
            "vmovaps zmmword ptr [{tile} + 768], zmm8",
            "vmovaps zmmword ptr [{tile} + 832], zmm9",
            "vmovaps zmmword ptr [{tile} + 960], zmm10",
            "vmovaps zmmword ptr [{tile} + 1024], zmm11",
            "vmovaps zmmword ptr [{tile} + 1152], zmm12",
            "vmovaps zmmword ptr [{tile} + 1216], zmm13",
            "vmovaps zmmword ptr [{tile} + 1344], zmm14",
            "vmovaps zmmword ptr [{tile} + 1408], zmm15",
            p0 = in(reg) $rows[0],
            p1 = in(reg) $rows[1],
            p2 = in(reg) $rows[2],
            p3 = in(reg) $rows[3],
            p4 = in(reg) $rows[4],
            p5 = in(reg) $rows[5],
            p6 = in(reg) $rows[6],
            p7 = in(reg) $rows[7],
            panel = inout(reg) $panel => _,
            stride = in(reg) $stride,
            k = inout(reg) 0usize => _,
            end = in(reg) 4 * $steps,
            tile = in(reg) $tile,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
            out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _,
            out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
            out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
            out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
            out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
            options(nostack),
        )
    };
}

/// The loop over a run, 3 vectors wide.
macro_rules! loop_of_three {
    ($broadcast:literal, $product:literal, $rows:expr, $steps:expr, $panel:expr, $stride:expr, $tile:expr) => {
        asm!(
            "vmovaps zmm0, zmmword ptr [{tile} + 0]",
            "vmovaps zmm1, zmmword ptr [{tile} + 64]",
            "vmovaps zmm2, zmmword ptr [{tile} + 128]",
            "vmovaps zmm3, zmmword ptr [{tile} + 192]",
            "vmovaps zmm4, zmmword ptr [{tile} + 256]",
            "vmovaps zmm5, zmmword ptr [{tile} + 320]",
            "vmovaps zmm6, zmmword ptr [{tile} + 384]",
            "vmovaps zmm7, zmmword ptr [{tile} + 448]",
            "vmovaps zmm8, zmmword ptr [{tile} + 512]",
            "vmovaps zmm9, zmmword ptr [{tile} + 576]",
            "vmovaps zmm10, zmmword ptr [{tile} + 640]",
            "vmovaps zmm11, zmmword ptr [{tile} + 704]",
            "vmovaps zmm12, zmmword ptr [{tile} + 768]",
            "vmovaps zmm13, zmmword ptr [{tile} + 832]",
            "vmovaps zmm14, zmmword ptr [{tile} + 896]",
            "vmovaps zmm15, zmmword ptr [{tile} + 960]",
            "vmovaps zmm16, zmmword ptr [{tile} + 1024]",
            "vmovaps zmm17, zmmword ptr [{tile} + 1088]",
            "vmovaps zmm18, zmmword ptr [{tile} + 1152]",
            "vmovaps zmm19, zmmword ptr [{tile} + 1216]",
            "vmovaps zmm20, zmmword ptr [{tile} + 1280]",
            "vmovaps zmm21, zmmword ptr [{tile} + 1344]",
            "vmovaps zmm22, zmmword ptr [{tile} + 1408]",
            "vmovaps zmm23, zmmword ptr [{tile} + 1472]",
            "2:",
            "vmovups zmm24, zmmword ptr [{panel} + 0]",
            "vmovups zmm25, zmmword ptr [{panel} + 64]",
            "vmovups zmm26, zmmword ptr [{panel} + 128]",
            row!($broadcast, $product, "p0", "zmm27", "zmm0" "zmm24" "zmm1" "zmm25" "zmm2" "zmm26"),
            row!($broadcast, $product, "p1", "zmm28", "zmm3" "zmm24" "zmm4" "zmm25" "zmm5" "zmm26"),
            row!($broadcast, $product, "p2", "zmm29", "zmm6" "zmm24" "zmm7" "zmm25" "zmm8" "zmm26"),
            row!($broadcast, $product, "p3", "zmm30", "zmm9" "zmm24" "zmm10" "zmm25" "zmm11" "zmm26"),
            row!($broadcast, $product, "p4", "zmm31", "zmm12" "zmm24" "zmm13" "zmm25" "zmm14" "zmm26"),
            row!($broadcast, $product, "p5", "zmm27", "zmm15" "zmm24" "zmm16" "zmm25" "zmm17" "zmm26"),
            row!($broadcast, $product, "p6", "zmm28", "zmm18" "zmm24" "zmm19" "zmm25" "zmm20" "zmm26"),
            row!($broadcast, $product, "p7", "zmm29", "zmm21" "zmm24" "zmm22" "zmm25" "zmm23" "zmm26"),
            "add {panel}, {stride}",
            "add {k}, 4",
            "cmp {k}, {end}",
            "jb 2b",
            "vmovaps zmmword ptr [{tile} + 0], zmm0",
            "vmovaps zmmword ptr [{tile} + 64], zmm1",
            "vmovaps zmmword ptr [{tile} + 128], zmm2",
            "vmovaps zmmword ptr [{tile} + 192], zmm3",
            "vmovaps zmmword ptr [{tile} + 256], zmm4",
            "vmovaps zmmword ptr [{tile} + 320], zmm5",
            "vmovaps zmmword ptr [{tile} + 384], zmm6",
            "vmovaps zmmword ptr [{tile} + 448], zmm7",
            "vmovaps zmmword ptr [{tile} + 512], zmm8",
            "vmovaps zmmword ptr [{tile} + 576], zmm9",
            "vmovaps zmmword ptr [{tile} + 640], zmm10",
            "vmovaps zmmword ptr [{tile} + 704], zmm11",
            "vmovaps zmmword ptr [{tile} + 768], zmm12",
            "vmovaps zmmword ptr [{tile} + 832], zmm13",
            "vmovaps zmmword ptr [{tile} + 896], zmm14",
            "vmovaps zmmword ptr [{tile} + 960], zmm15",
            "vmovaps zmmword ptr [{tile} + 1024], zmm16",
            "vmovaps zmmword ptr [{tile} + 1088], zmm17",
            "vmovaps zmmword ptr [{tile} + 1152], zmm18",
            "vmovaps zmmword ptr [{tile} + 1216], zmm19",
            "vmovaps zmmword ptr [{tile} + 1280], zmm20",
            "vmovaps zmmword ptr [{tile} + 1344], zmm21",
            "vmovaps zmmword ptr [{tile} + 1408], zmm22",
            "vmovaps zmmword ptr [{tile} + 1472], zmm23",
            p0 = in(reg) $rows[0],
            p1 = in(reg) $rows[1],
            p2 = in(reg) $rows[2],
            p3 = in(reg) $rows[3],
            p4 = in(reg) $rows[4],
            p5 = in(reg) $rows[5],
            p6 = in(reg) $rows[6],
            p7 = in(reg) $rows[7],
            panel = inout(reg) $panel => _,
            stride = in(reg) $stride,
            k = inout(reg) 0usize => _,
            end = in(reg) 4 * $steps,
            tile = in(reg) $tile,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
            out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _,
            out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
            out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
            out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
            out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
            options(nostack),
        )
    };
}

/// A step is one `f32`.
///
/// # Safety
/// As [`super::Run`] says.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn single(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u32,
    stride: usize,
    vectors: usize,
    tile: &mut Tile,
) {
    debug_assert!(steps > 0);
    let tile = std::ptr::from_mut(tile);
    // SAFETY: the loop reads 4 × steps bytes of each row and 64 × vectors of the panel at each of as many strides, for
    // which the caller vouches, and writes the tile, which is borrowed alone and aligned to 64 bytes.
    unsafe {
        match vectors {
            1 => loop_of_one!("vbroadcastss", "vfmadd231ps", rows, steps, panel, stride, tile),
            2 => loop_of_two!("vbroadcastss", "vfmadd231ps", rows, steps, panel, stride, tile),
            _ => loop_of_three!("vbroadcastss", "vfmadd231ps", rows, steps, panel, stride, tile),
        }
    }
}

/// A step is two `bf16`, multiplied and added by `vdpbf16ps`.
///
/// # Safety
/// As [`super::Run`] says.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn brain(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u32,
    stride: usize,
    vectors: usize,
    tile: &mut Tile,
) {
    debug_assert!(steps > 0);
    let tile = std::ptr::from_mut(tile);
    // SAFETY: the loop reads 4 × steps bytes of each row and 64 × vectors of the panel at each of as many strides, for
    // which the caller vouches, and writes the tile, which is borrowed alone and aligned to 64 bytes.
    unsafe {
        match vectors {
            1 => loop_of_one!("vpbroadcastd", "vdpbf16ps", rows, steps, panel, stride, tile),
            2 => loop_of_two!("vpbroadcastd", "vdpbf16ps", rows, steps, panel, stride, tile),
            _ => loop_of_three!("vpbroadcastd", "vdpbf16ps", rows, steps, panel, stride, tile),
        }
    }
}

/// A step is four bytes without a sign, multiplied with four that have one and added by `vpdpbusd`.
///
/// # Safety
/// As [`super::int8::Run`] says.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn bytes(
    rows: &[*const u32; ROWS],
    steps: usize,
    panel: *const u8,
    vectors: usize,
    start: *const i32,
    scales: &[f32; ROWS],
    tile: &mut Tile,
) {
    debug_assert!(steps > 0);
    // SAFETY: the caller vouches for what the sums start with.
    let mut sums = IntTile::starting(unsafe { std::slice::from_raw_parts(start, LANES * vectors) });
    let (sum, stride) = (std::ptr::from_mut(&mut sums), 64 * vectors);
    // SAFETY: the loop reads 4 × steps bytes of each row and 64 × vectors × steps of the panel, for which the caller
    // vouches, and writes the sums, which are ours and aligned to 64 bytes.
    unsafe {
        match vectors {
            1 => loop_of_one!("vpbroadcastd", "vpdpbusd", rows, steps, panel, stride, sum),
            2 => loop_of_two!("vpbroadcastd", "vpdpbusd", rows, steps, panel, stride, sum),
            _ => loop_of_three!("vpbroadcastd", "vpdpbusd", rows, steps, panel, stride, sum),
        }
    }
    sums.add_to(tile, scales, vectors);
}
