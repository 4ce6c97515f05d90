//! The whole of Stable Diffusion 1.5's UNet with random weights: gigabytes, so only where `full.py` has made
//! them.

use std::path::PathBuf;

use candle_core::Device;
use skiagraph_engine::check::check;

#[test]
#[ignore = "needs the folder that tests/golden/full.py makes, named by SKIAGRAPH_FULL_SD15"]
fn one_call_of_the_whole_unet_is_diffusers() {
    let folder =
        std::env::var("SKIAGRAPH_FULL_SD15").expect("SKIAGRAPH_FULL_SD15 names the folder");
    let folder = PathBuf::from(folder);
    let report = check(&folder, &folder.join("reference.safetensors"), 1e-4, &Device::Cpu).unwrap();
    println!("{}", report.table());
    assert!(report.ok);
}
