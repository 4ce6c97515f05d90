//! `skiagraph-engine generate` as a person calls it: the same bytes whatever stands beside them, and what is
//! refused leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, Luma};

use crate::harness::server::program;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Runs the program with `threads` threads; the model is that of `model`.
fn generate(model: &str, out: &Path, threads: usize, options: &[&str]) -> Output {
    Command::new(program("skiagraph-engine"))
        .env("RAYON_NUM_THREADS", threads.to_string())
        // Set on many machines; no error may say more for it.
        .env("RUST_BACKTRACE", "1")
        .arg("--json")
        .args(["generate", "--model"])
        .arg(root(model))
        .arg("--out")
        .arg(out)
        .args(options)
        .output()
        .unwrap()
}

fn succeeded(done: &Output) -> String {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8(done.stdout.clone()).unwrap()
}

const TINY: &str = "tests/golden/pipelines/base";

#[test]
fn a_seed_is_its_bytes_whatever_the_threads_and_the_images_beside_it() {
    let desk = tempfile::tempdir().unwrap();
    for (model, steps) in [("engine/starter", "2"), (TINY, "4")] {
        let made = |name: &str, threads, count| {
            let out = desk.path().join(name);
            let options =
                ["--finding", "normal", "--seed", "5", "--steps", steps, "--count", count];
            let guided = ["--guidance", "3", "--eta", "0.7", "--scheduler", "DDIM"];
            succeeded(&generate(model, &out, threads, &[&options[..], &guided].concat()));
            let read = |seed: u64| std::fs::read(out.join(format!("{seed:010}.png"))).unwrap();
            let images: Vec<_> = (5..5 + count.parse::<u64>().unwrap()).map(read).collect();
            std::fs::remove_dir_all(&out).unwrap();
            images
        };
        let three = made("three", 3, "3");
        assert!(three[0] != three[1] && three[1] != three[2]);
        for threads in 1..=3 {
            let alone = made("alone", threads, "1");
            assert!(alone[0] == three[0], "{model}: {threads} threads give other bytes");
        }
        assert!(made("one by one", 1, "3") == three, "{model}: one thread gives other bytes");
    }
}

/// A grey picture in a file.
fn picture(folder: &Path, name: &str, (width, height): (u32, u32), value: u8) -> String {
    let path = folder.join(name);
    GrayImage::from_pixel(width, height, Luma([value])).save(&path).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_made_is_refused_by_its_option_and_leaves_nothing() {
    let desk = tempfile::tempdir().unwrap();
    let (out, folder) = (desk.path().join("out"), desk.path());
    let grey = picture(folder, "grey.png", (32, 32), 128);
    let black = picture(folder, "black.png", (32, 32), 0);
    let no_image = folder.join("words.png");
    std::fs::write(&no_image, "no image").unwrap();
    let no_image = no_image.to_str().unwrap();
    let empty = folder.join("empty.png");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    // Its header is as long as it says, and no JSON.
    let lying = folder.join("lying.safetensors");
    std::fs::write(&lying, [&4_u64.to_le_bytes()[..], b"lies"].concat()).unwrap();
    let lying = lying.to_str().unwrap();
    let adapters = root("tests/golden/adapters");
    let of = |name: &str| adapters.join(name).to_str().unwrap().to_owned();
    let fog = format!("{}:fog", of("inversion_xl.safetensors"));
    let haze = of("haze.safetensors");
    let ready = |rest: &str| format!("ready={grey}{rest}");
    let gone = folder.join("gone");
    let gone = gone.to_str().unwrap();
    let vision = |name: &str| root(&format!("tests/golden/vision/{name}"));
    let (encoder, prompts) = (vision("image_encoder"), vision("plus.safetensors"));
    let (encoder, prompts) = (encoder.to_str().unwrap(), prompts.to_str().unwrap());
    for (options, words) in [
        (&["--control", &format!("ready={black}")][..], &["--control", "empty"][..]),
        (&["--control", &ready(":nan")], &["--control", "weight"]),
        (&["--control", &ready(":1@0.9-0.1")], &["--control", "range"]),
        (&["--control", &format!("ready={no_image}")], &["--control", "PNG"]),
        (&["--lora", &of("kohya_xl.safetensors")], &["--lora", "another base"]),
        (&["--lora", &format!("{}:nan", of("diffusers"))], &["--lora", "between 0 and 4"]),
        (&["--init", &grey, "--mask", &black], &["--mask", "white"]),
        (&["--init", no_image], &["--init", "PNG"]),
        (&["--init", &grey, "--strength", "0"], &["--strength", "above 0"]),
        (&["--init", &grey, "--strength", "nan"], &["--strength", "above 0"]),
        (&["--width", "33", "--height", "32"], &["--width", "multiple of 2"]),
        (&["--width", "4000000000", "--height", "8"], &["--width", "4096"]),
        (&["--scheduler", "Turbo"], &["--scheduler", "known are", "DDIM"]),
        (&["--guidance", "nan"], &["--guidance", "between 1 and 30"]),
        (&["--guidance-rescale", "inf"], &["--guidance-rescale", "between 0 and 1"]),
        (&["--steps", "100000"], &["--steps", "1,000"]),
        (&["--count", "4000000000"], &["--count", "16"]),
        (&["--eta", "nan"], &["--eta", "between 0 and 1"]),
        (&["--clip-skip", "3"], &["--clip-skip", "has 3"]),
        (&["--timesteps", "500,999"], &["--timesteps", "fall"]),
        (&["--timesteps", "999,500"], &["--scheduler", "takes no timesteps"]),
        (&["--sigmas", "nan,1", "--scheduler", "Euler"], &["--sigmas", "numbers"]),
        (&["--original-size", "0x32"], &["--original-size", "between 1"]),
        (&["--embedding", &fog], &["--embedding", "16 numbers", "have 24"]),
        (&["--embedding", &haze, "--embedding", &haze], &["--embedding", "haze", "another name"]),
        (&["--finding", "dragons"], &["--finding", "pneumonia"]),
        // Files that are not there, and files of another kind.
        (&["--init", gone], &["--init", "gone"]),
        (&["--init", &grey, "--mask", gone], &["--mask", "gone"]),
        (&["--init", &grey, "--mask", no_image], &["--mask", "PNG"]),
        (&["--control", &format!("ready={gone}")], &["--control", "gone"]),
        (&["--control-network", gone], &["--control-network", "gone"]),
        (&["--control-network", encoder], &["--control-network", "neither a ControlNet"]),
        (&["--lora", gone], &["--lora", "gone"]),
        (&["--lora", no_image], &["--lora", "words.png"]),
        (&["--lora", &haze], &["--lora", "haze"]),
        (&["--embedding", gone], &["--embedding", "gone"]),
        (&["--embedding", no_image], &["--embedding", "words.png"]),
        (&["--embedding", &of("kohya.safetensors")], &["--embedding", "no embedding"]),
        (
            &["--ip-adapter", gone, "--image-encoder", encoder],
            &["--ip-adapter", "gone: is missing"],
        ),
        (&["--ip-adapter", &haze, "--image-encoder", encoder], &["--ip-adapter", "haze"]),
        (&["--ip-adapter", prompts, "--image-encoder", gone], &["--image-encoder", "gone"]),
        (
            &["--ip-adapter", prompts, "--image-encoder", folder.to_str().unwrap()],
            &["--image-encoder"],
        ),
        (
            &["--ip-adapter", prompts, "--image-encoder", encoder, "--image-prompt", gone],
            &["--image-prompt", "gone"],
        ),
        (&["--replay", gone], &["--replay", "gone"]),
        (&["--replay", empty], &["--replay", "the file is empty"]),
        (&["--replay", no_image], &["--replay", "neither PNG nor DICOM"]),
        (&["--lora", lying], &["--lora", "lying.safetensors"]),
        (&["--lora", prompts], &["--lora", "is an IP-Adapter", "--ip-adapter"]),
        (&["--replay", &grey], &["--replay", "grey.png"]),
        (&["--scheduler", no_image], &["--scheduler", "words.png"]),
    ] {
        let done = generate(TINY, &out, 2, options);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(!done.status.success(), "{options:?}: {said}");
        let error = said.lines().find(|line| line.contains("\"event\":\"error\"")).unwrap_or("");
        assert!(words.iter().all(|word| error.contains(word)), "{options:?}: {said}");
        assert!(!error.contains("\\n"), "{options:?}: more than a line: {said}");
        assert!(!said.contains("\"event\":\"note\""), "{options:?}: noted and refused: {said}");
        assert!(!out.exists(), "{options:?} left something");
    }
}

#[test]
fn what_becomes_of_a_request_is_said() {
    let desk = tempfile::tempdir().unwrap();
    let lungs = picture(desk.path(), "lungs.png", (48, 64), 200);
    let control = format!("ready={lungs}");
    let options =
        ["--steps", "2", "--control", &control, "--prompt", "zorp (chest:1e9)", "--eta", "1"];
    let more = ["--scheduler", "Euler", "--crop", "0,4", "--negative", "[mass"];
    let options = [&options[..], &more].concat();
    let said = succeeded(&generate(TINY, &desk.path().join("out"), 2, &options));
    let note = |field: &str, word: &str| {
        said.lines().any(|line| {
            line.contains("\"event\":\"note\"") && line.contains(field) && line.contains(word)
        })
    };
    assert!(note("control", "48 × 64") && note("control", "32 × 32"), "{said}");
    assert!(note("prompt", "zorp") && note("eta", "left out"), "{said}");
    assert!(
        note("crop", "left out") && note("prompt", "1e9)") && note("negative", "[mass"),
        "{said}"
    );
}

#[test]
fn an_error_of_a_check_is_a_line_without_the_programs_trace() {
    let desk = tempfile::tempdir().unwrap();
    for damage in ["missing", "cut"] {
        let model = desk.path().join(damage);
        std::fs::create_dir_all(&model).unwrap();
        let from = root(TINY).join("unet");
        std::fs::copy(from.join("config.json"), model.join("config.json")).unwrap();
        let weights = std::fs::read(from.join("diffusion_pytorch_model.safetensors")).unwrap();
        let header = u64::from_le_bytes(*weights.first_chunk().unwrap()) as usize;
        let weights = match damage {
            "missing" => {
                // The same length, and another name.
                let text = String::from_utf8(weights[8..8 + header].to_vec()).unwrap();
                let text = text.replacen("conv_in.bias", "conv_on.bias", 1);
                [&weights[..8], text.as_bytes(), &weights[8 + header..]].concat()
            }
            _ => weights[..weights.len() - 1].to_vec(),
        };
        std::fs::write(model.join("diffusion_pytorch_model.safetensors"), weights).unwrap();
        let done = Command::new(program("skiagraph-engine"))
            .env("RUST_BACKTRACE", "1")
            .args(["--json", "model", "check", "--model"])
            .arg(&model)
            .arg("--reference")
            .arg(root("tests/golden/references/controlnet.safetensors"))
            .output()
            .unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains("\"event\":\"error\"") && !said.contains("\\n"), "{said}");
        assert!(!said.contains("candle"), "{said}");
        assert!(said.matches("diffusion_pytorch_model").count() < 2, "its path twice: {said}");
    }
}

#[test]
fn what_an_adapter_cannot_be_written_to_is_told_by_its_own_name() {
    let desk = tempfile::tempdir().unwrap();
    let convert = |input: PathBuf| {
        let done = Command::new(program("skiagraph-engine"))
            .args(["adapter", "convert", "--to", "kohya"])
            .arg(input)
            .arg(desk.path().join("nowhere/x.safetensors"))
            .output()
            .unwrap();
        assert!(!done.status.success());
        String::from_utf8(done.stderr).unwrap()
    };
    let said = convert(root("tests/golden/adapters/kohya.safetensors"));
    assert!(said.contains("x.safetensors: its folder does not exist"), "{said}");
    let said = convert(root("tests/golden/vision/plus.safetensors"));
    assert!(said.contains("give it as --ip-adapter"), "{said}");
}

#[test]
fn an_image_of_learned_words_is_made_again() {
    let desk = tempfile::tempdir().unwrap();
    let words = ["learned_embeds.safetensors", "haze.safetensors"];
    let words = words.map(|name| root("tests/golden/adapters").join(name));
    let words = words.map(|path| path.to_str().unwrap().to_owned());
    let named = ["--embedding", &words[0], "--embedding", &format!("{}:mist", words[1])];
    let prompt = "chest radiograph, (<opacity>:1.3)";
    let asked = ["--steps", "3", "--guidance", "4", "--prompt", prompt, "--negative", "mist"];
    let options = [&asked[..], &["--eta", "0.5", "--clip-skip", "1"], &named].concat();
    let (first, second) = (desk.path().join("first"), desk.path().join("second"));
    succeeded(&generate(TINY, &first, 2, &options));
    let whole = std::fs::read(first.join("0000000000.png")).unwrap();
    let plain = desk.path().join("plain");
    succeeded(&generate(TINY, &plain, 2, &[&asked[..], &["--eta", "0.5"]].concat()));
    assert!(std::fs::read(plain.join("0000000000.png")).unwrap() != whole, "words say something");
    for ending in ["png", "dcm"] {
        let file = first.join(format!("0000000000.{ending}"));
        let file = file.to_str().unwrap();
        let given = ["--replay", file, "--embedding", &words[1], "--embedding", &words[0]];
        succeeded(&generate(TINY, &second, 1, &given));
        assert!(std::fs::read(second.join("0000000000.png")).unwrap() == whole, "{ending}");
        let refused = generate(TINY, &second, 1, &given[..4]);
        let said = String::from_utf8_lossy(&refused.stdout).into_owned();
        assert!(!refused.status.success() && said.contains("<opacity>"), "{said}");
    }
}
