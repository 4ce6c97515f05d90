//! Every operation on a GPU against the CPU's. Where there is no GPU, each test says so and is skipped.

use std::io::Write;

use candle_core::{DType, Device};

use super::routes::Route;
use crate::kernel::Fault;

/// How far single precision on a GPU may lie from the CPU's: cuDNN rounds what it multiplies to TF32, of ten bits.
pub(crate) const SINGLE: f32 = if cfg!(feature = "cudnn") { 2e-3 } else { 1e-4 };

/// The first GPU; where there is none, says past the test runner's capture which test is skipped, and why.
pub(crate) fn gpu(test: &str) -> Option<Device> {
    Device::new_cuda(0)
        .map_err(|cause| {
            let cause = Fault::words(cause);
            let _ = writeln!(std::io::stderr(), "skipped: {test}: no GPU can be used: {cause}");
        })
        .ok()
}

#[test]
fn operations_on_a_gpu_are_the_cpus_in_f32() {
    let Some(device) = gpu("operations_on_a_gpu_are_the_cpus_in_f32") else { return };
    let route = Route { device, dtype: DType::F32, tolerance: SINGLE };
    route.hold_every_operation();
    route.hold_optimiser();
}

#[test]
fn operations_on_a_gpu_come_near_in_bf16() {
    let Some(device) = gpu("operations_on_a_gpu_come_near_in_bf16") else { return };
    Route { device, dtype: DType::BF16, tolerance: 4e-2 }.hold_every_operation();
}

#[cfg(feature = "flash-attn")]
#[test]
fn attention_on_a_gpu_is_flash_attention_where_no_gradient_is_asked_for() {
    use super::random;
    use crate::kernel::attention;
    use crate::kernel::flash::flash_attention;

    let Some(device) = gpu("attention_on_a_gpu_is_flash_attention_where_no_gradient_is_asked_for")
    else {
        return;
    };
    let route = Route { device, dtype: DType::BF16, tolerance: 4e-2 };
    for (n, m, heads, width) in
        [(16, 16, 2, 8), (64, 77, 8, 40), (33, 5, 3, 64), (8, 9, 1, 160), (5, 7, 2, 3)]
    {
        let make = |length: usize, seed: u64| random(&[2, length, heads * width], seed);
        route.hold(&[make(n, 1), make(m, 2), make(m, 3)], |t| {
            let (q, k, v) = (&t[0], &t[1], &t[2]);
            let fits = q.device().is_cuda() && !q.track_op() && width.is_multiple_of(8);
            assert_eq!(flash_attention(q, k, v, heads, None)?.is_some(), fits);
            let mask = q.zeros_like()?.narrow(0, 0, 1)?.sum(2)?.t()?.broadcast_as((n, m))?;
            assert!(flash_attention(q, k, v, heads, Some(&mask))?.is_none());
            attention(q, k, v, heads, None)
        });
    }
}
