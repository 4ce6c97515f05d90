"""Whole models in the forms of Stable Diffusion 1 and 2, and the engine's own."""

import json
import shutil
import subprocess
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from .common import CAPTIONS, HERE, TOKENS, WIDTH, Noise, dress, shake, write
from .schedulers import LATENT, ddim


def networks(kind: str, vocabulary: int):
    """Stable Diffusion 1's and 2's form of every network, small."""
    two = kind == "sd2"
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32, 32) if two else (16, 32),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
        if two
        else ("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")
        if two
        else ("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=2 if two else 1,
        cross_attention_dim=WIDTH,
        attention_head_dim=(2, 4, 4) if two else 2,
        transformer_layers_per_block=(1, 2, 1) if two else 1,
        norm_num_groups=8,
        use_linear_projection=two,
    )
    vae = AutoencoderKL(
        in_channels=1 if two else 3,
        out_channels=1 if two else 3,
        down_block_types=("DownEncoderBlock2D",) * (3 if two else 2),
        up_block_types=("UpDecoderBlock2D",) * (3 if two else 2),
        block_out_channels=(8, 16, 16) if two else (16, 32),
        layers_per_block=2 if two else 1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32 if two else 16,
        scaling_factor=0.18215,
        mid_block_add_attention=not two,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            intermediate_size=40,
            num_hidden_layers=2,
            num_attention_heads=3,
            max_position_embeddings=TOKENS,
            hidden_act="gelu" if two else "quick_gelu",
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )
    scheduler = ddim(
        **LATENT,
        set_alpha_to_one=False,
        prediction_type="v_prediction" if two else "epsilon",
        rescale_betas_zero_snr=two,
        timestep_spacing="trailing" if two else "leading",
        steps_offset=1,
    )
    for model in (unet, vae, text):
        shake(model)
        model.eval()
    return unet, vae, text, scheduler


def network_numbers(unet, vae, text, patch: int) -> dict:
    """Inputs and outputs of every network."""
    numbers = {}
    side = 8 * patch
    channels = vae.config.in_channels // patch**2
    unet, vae, text = unet.double(), vae.double(), text.double()
    image = torch.rand(2, channels, side, side + 4 * patch, dtype=torch.float64) * 2 - 1
    folded = pixel_unshuffle(image, patch)
    numbers["vae.image"] = image
    posterior = vae.encode(folded).latent_dist
    numbers["vae.mean"], numbers["vae.log_variance"] = posterior.mean, posterior.logvar
    latent = torch.randn_like(posterior.mean)
    numbers["vae.latent"] = latent
    numbers["vae.decoded"] = pixel_shuffle(vae.decode(latent).sample, patch)

    tokens = torch.randint(0, text.config.vocab_size, (2, TOKENS))
    numbers["text.tokens"] = tokens
    numbers["text.hidden"] = text(tokens)[0]

    # Odd sides are rounded up on the way down.
    context = torch.randn(2, 5, unet.config.cross_attention_dim, dtype=torch.float64)
    for name, size in (("even", (8, 12)), ("odd", (7, 9))):
        sample = torch.randn(2, unet.config.in_channels, *size, dtype=torch.float64)
        timesteps = torch.tensor([999, 3])
        numbers[f"unet.{name}.sample"] = sample
        numbers[f"unet.{name}.prediction"] = unet(sample, timesteps, context).sample
    numbers["unet.timesteps"], numbers["unet.context"] = timesteps, context
    return numbers


def bundle(kind: str) -> None:
    """A bundle, what its networks compute, and an image made by diffusers' own pipeline."""
    folder = HERE / kind
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer")
    unet, vae, text, scheduler = networks(kind, len(tokenizer))
    for part, model in (("unet", unet), ("vae", vae), ("text_encoder", text)):
        model.half().save_pretrained(folder / part)
        model.float()
    scheduler.save_pretrained(folder / "scheduler")
    description = "Random weights in the form of Stable Diffusion " + kind[2:]
    dress(folder, vae.config.sample_size, 5, description, ["tokenizer"])
    numbers = network_numbers(unet, vae, text, 1)

    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    side = vae.config.sample_size // 2 ** (len(vae.config.block_out_channels) - 1)
    latents = Noise(7).normal(1, 4, side, side).float().double()
    for name, scale in (("guided", 4.0), ("plain", 1.0)):
        clean = pipeline(
            prompt=CAPTIONS[0],
            negative_prompt="blurred",
            height=vae.config.sample_size,
            width=vae.config.sample_size,
            num_inference_steps=5,
            guidance_scale=scale,
            latents=latents.clone(),
            output_type="latent",
        ).images
        # As the pipeline decodes, but that colours are averaged before they are clamped.
        image = vae.decode(clean / vae.config.scaling_factor).sample.mean(1)[0]
        image = (image / 2 + 0.5).clamp(0, 1)
        print(kind, name, "saturated:", ((image == 0) | (image == 1)).double().mean().item())
        numbers[f"pipeline.{name}"] = image
    write(folder / "expected.safetensors", numbers)


def ours(engine: Path) -> None:
    """The engine's own tiny model, read by diffusers and transformers."""
    folder = HERE / "ours"
    shutil.rmtree(folder, ignore_errors=True)
    command = [engine, "model", "init", "--preset", "tiny", "--seed", "5", "--out", folder]
    subprocess.run(command, check=True)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    # diffusers has no folding of pixels into channels: it gets the folded ones.
    config = json.loads((folder / "vae/config.json").read_text())
    patch = config.pop("patch_size")
    levels = len(config["block_out_channels"])
    config |= {name: config[name] * patch**2 for name in ("in_channels", "out_channels")}
    config |= {
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
    }
    config.pop("_class_name")
    vae = AutoencoderKL(**config)
    vae.load_state_dict(load_file(folder / "vae/diffusion_pytorch_model.safetensors"))
    for model in (unet, vae, text):
        model.float().eval()
    write(folder / "expected.safetensors", network_numbers(unet, vae, text, patch))


def make(engine: Path) -> None:
    # The others take its tokenizer.
    ours(engine)
    bundle("sd1")
    bundle("sd2")
