"""Models with random weights, written once by diffusers and transformers, and the inputs of every case: both sides read
the same files. About 4.6 GB, outside the tree."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from cases import CASES, RANK, TARGETS, TOKENS, Case

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
# How PEFT calls a weight of an adapter.
PEFT = "base_model.model."


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
    for case in cases:
        path = desk / "inputs" / f"{case.name}.safetensors"
        if case.batch and not path.exists():
            write_inputs(case, path)


if __name__ == "__main__":
    # A process of its own: the memory that a model takes to make is free again for the cases.
    import sys

    names = sys.argv[2:]
    prepare(Path(sys.argv[1]), [case for case in CASES if case.name in names])
