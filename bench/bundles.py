"""Models with random weights, written once by diffusers and transformers, and the inputs of every case: both sides read
the same files. About 9 GB, outside the tree."""

import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from cases import CASES, RANK, TARGETS, TOKENS, Case

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
# How PEFT calls a weight of an adapter.
PEFT = "base_model.model."
# The peer's file of text-to-image, beside the bundles.
SINGLE = "sd15.safetensors"


def unet_config(model: str) -> dict:
    if model == "sd15":
        # The defaults of the class are Stable Diffusion 1.5's, but for the width of its text.
        return {"sample_size": 64, "cross_attention_dim": 768}
    return {
        "sample_size": 32,
        "cross_attention_dim": 256,
        "block_out_channels": (64, 128, 256),
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 4,
    }


def write_unet(model: str, folder: Path) -> None:
    torch.manual_seed(15)
    network = UNet2DConditionModel(**unet_config(model))
    with torch.no_grad():
        for value in network.parameters():
            # Norms are moved off one and zero, too.
            value += 0.01 * torch.randn_like(value)
    network.save_pretrained(folder / "unet")


def write_rest(folder: Path) -> None:
    """Decoder, text encoder, tokenizer and scheduler in Stable Diffusion 1.5's shape."""
    torch.manual_seed(16)
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    ).save_pretrained(folder / "vae")
    # A tokenizer of few words: a prompt costs the same whatever its tokens are.
    tokenizer = CLIPTokenizer.from_pretrained(GOLDEN / "ours" / "tokenizer")
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")
    (folder / "tokenizer").mkdir()
    for file in ("vocab.json", "merges.txt"):
        shutil.copy(GOLDEN / "ours" / "tokenizer" / file, folder / "tokenizer" / file)
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, set_alpha_to_one=False, clip_sample=False
    ).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))


def write_single(folder: Path, path: Path) -> None:
    """The same weights in one file, in latent diffusion's own names: stable-diffusion.cpp knows Stable Diffusion 1 by them."""
    sys.path.insert(0, str(GOLDEN))
    from makers.references import ldm_unet, ldm_vae

    def weights(part: str, name: str) -> dict[str, torch.Tensor]:
        return load_file(folder / part / f"{name}.safetensors")

    attends = [block.startswith("Cross") for block in json.loads((folder / "unet" / "config.json").read_text())["up_block_types"]]
    tensors = {
        f"model.diffusion_model.{ldm_unet(name, 2, attends)}": value
        for name, value in weights("unet", "diffusion_pytorch_model").items()
    }
    for name, value in weights("vae", "diffusion_pytorch_model").items():
        name, value = ldm_vae(name, value, 4)
        tensors[f"first_stage_model.{name}"] = value
    for name, value in weights("text_encoder", "model").items():
        tensors[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = value
    save_file(tensors, path)


def write_inputs(case: Case, path: Path) -> None:
    torch.manual_seed(1)
    width = unet_config(case.model)["cross_attention_dim"]
    shape = (case.batch, 4, case.side, case.side)
    if case.name == "vae-decode":
        numbers = {"latent": torch.randn(shape)}
    else:
        numbers = {"sample": torch.randn(shape), "context": torch.randn(case.batch, TOKENS, width)}
    if case.name.endswith("training"):
        numbers["target"] = torch.randn(shape)
    if case.name == "lora-training":
        with torch.device("meta"):
            network = UNet2DConditionModel(**unet_config(case.model))
        for name, layer in network.named_modules():
            if name.endswith(TARGETS):
                # Neither factor is zero, so that both have a gradient.
                numbers[f"{PEFT}{name}.lora_A.weight"] = torch.randn(RANK, layer.in_features) / RANK
                numbers[f"{PEFT}{name}.lora_B.weight"] = 0.02 * torch.randn(layer.out_features, RANK)
    path.parent.mkdir(exist_ok=True)
    save_file(numbers, path)


def prepare(desk: Path, cases: list[Case]) -> None:
    """Writes what is missing of the models and inputs that `cases` need; a model appears whole or not at all."""
    for model in {case.model for case in cases}:
        folder = desk / "models" / model
        if folder.exists():
            continue
        print(f"making the model {model}", flush=True)
        pending = folder.with_suffix(".pending")
        shutil.rmtree(pending, ignore_errors=True)
        pending.mkdir(parents=True)
        write_unet(model, pending)
        if model == "sd15":
            write_rest(pending)
        pending.rename(folder)
    single = desk / "models" / SINGLE
    if any(case.name == "text-to-image" for case in cases) and not single.exists():
        pending = single.with_suffix(".pending")
        write_single(desk / "models" / "sd15", pending)
        pending.rename(single)
    for case in cases:
        path = desk / "inputs" / f"{case.name}.safetensors"
        if case.batch and not path.exists():
            write_inputs(case, path)


if __name__ == "__main__":
    # A process of its own: the memory that a model takes to make is free again for the cases.
    names = sys.argv[2:]
    prepare(Path(sys.argv[1]), [case for case in CASES if case.name in names])
