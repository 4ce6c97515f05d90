//! Every operation on a GPU against the CPU's. Where there is no GPU, each test says so and is skipped.

use std::io::Write;

use candle_core::{DType, Device};

use super::routes::Route;

/// The first GPU; where there is none, says past the test runner's capture which test is skipped, and why.
pub(crate) fn gpu(test: &str) -> Option<Device> {
    Device::new_cuda(0)
        .inspect_err(|cause| {
            let _ = writeln!(std::io::stderr(), "skipped: {test}: no GPU can be used: {cause}");
        })
        .ok()
}

#[test]
fn operations_on_a_gpu_are_the_cpus_in_f32() {
    let Some(device) = gpu("operations_on_a_gpu_are_the_cpus_in_f32") else { return };
    let route = Route { device, dtype: DType::F32, tolerance: 1e-4 };
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
fn flash_attention_is_the_composed_one() {
    use candle_core::Tensor;

    use super::{assert_close, random};
    use crate::kernel::flash::flash_attention;
    use crate::kernel::softmax;

    let Some(device) = gpu("flash_attention_is_the_composed_one") else { return };
    for (n, m, heads, width) in [(16, 16, 2, 8), (64, 77, 8, 40), (33, 5, 3, 64), (8, 9, 1, 160)] {
        let make = |length: usize, seed: u64| {
            let x = random(&[2, length, heads * width], seed).to_device(&device).unwrap();
            x.to_dtype(DType::BF16).unwrap()
        };
        let (q, k, v) = (make(n, 1), make(m, 2), make(m, 3));
        let flash = flash_attention(&q, &k, &v, heads, None).unwrap().unwrap();
        let split = |x: &Tensor, length: usize| {
            let x = x.to_device(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
            let x = x.reshape((2, length, heads, width)).unwrap();
            x.transpose(1, 2).unwrap().contiguous().unwrap()
        };
        let (q, k, v) = (split(&q, n), split(&k, m), split(&v, m));
        let scores = (q.matmul(&k.t().unwrap()).unwrap() / (width as f64).sqrt()).unwrap();
        let composed = softmax(&scores).unwrap().matmul(&v).unwrap();
        let composed = composed.transpose(1, 2).unwrap().reshape((2, n, heads * width)).unwrap();
        let flash = flash.to_device(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
        assert_close(&flash, &composed, 3e-2);
        assert!(flash_attention(&q, &k, &v, heads, None).unwrap().is_none(), "the CPU has none");
    }
}
