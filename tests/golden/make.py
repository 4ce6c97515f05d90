"""Makes the golden numbers: tiny models with random weights, and what PyTorch computes from them.

    make golden        # from the project's root

Nothing is fetched but the libraries of requirements.txt; every weight is random and drawn here, or
by the engine (`skiagraph-engine model init`). Each bundle is written by diffusers and transformers
themselves, so that the engine reads what they write, key by key; `ours` is written by the engine, so
that they read what it writes. Weights are rounded to half precision first and all outputs computed in
double precision: a deviation is the engine's.
"""

import argparse
import json
import math
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

import numpy
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HERE = Path(__file__).parent
TOKENS = 32
WIDTH = 24

CAPTIONS = [
    "chest radiograph, AP view, child, male, bacterial pneumonia",
    "Chest   RADIOGRAPH,\n PA view; adult - female. No finding!",
    "",
    "   ",
    "it's the patient's 2nd film (3.5 cm opacity), we've seen 10% less",
    "Thorax-Röntgen: Ödem, Café-au-lait, naïve ß ﬁn",
    "胸片 正常 ☺ 👩‍⚕️",
    "e\u0301 decomposed and \u00e9 composed, tab\there, nbsp\u00a0there",
    "x_ray__view ... !!!??? 'quoted' \"twice\" it''s",
    "effusion " * 40,
]


class Noise:
    """The engine's normal numbers: Box and Muller's method on ChaCha8 as rand_chacha seeds it."""

    def __init__(self, seed: int):
        mask, state, words = (1 << 64) - 1, seed, []
        for _ in range(8):
            state = (state * 6364136223846793005 + 11634580027462260723) & mask
            shifted = (((state >> 18) ^ state) >> 27) & 0xFFFFFFFF
            turn = state >> 59
            words.append(((shifted >> turn) | (shifted << (-turn & 31))) & 0xFFFFFFFF)
        self.key, self.block, self.words = words, 0, []

    def word(self) -> int:
        if not self.words:
            start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *self.key]
            start += [self.block & 0xFFFFFFFF, self.block >> 32, 0, 0]
            x = list(start)

            def quarter(a, b, c, d):
                for one, two, three, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                    x[one] = (x[one] + x[two]) & 0xFFFFFFFF
                    mixed = x[three] ^ x[one]
                    x[three] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

            for _ in range(4):
                for column in range(4):
                    quarter(column, 4 + column, 8 + column, 12 + column)
                for column in range(4):
                    diagonal = [4 * row + (column + row) % 4 for row in range(4)]
                    quarter(*diagonal)
            self.words = [(a + b) & 0xFFFFFFFF for a, b in zip(x, start)]
            self.block += 1
        return self.words.pop(0)

    def uniform(self) -> float:
        low = self.word()
        return ((low | (self.word() << 32)) >> 11) * 2.0**-53

    def normal(self, *shape: int) -> torch.Tensor:
        values = []
        while len(values) < math.prod(shape):
            radius = math.sqrt(-2 * math.log(1 - self.uniform()))
            angle = 2 * math.pi * self.uniform()
            values += [radius * math.cos(angle), radius * math.sin(angle)]
        return torch.tensor(values[: math.prod(shape)], dtype=torch.float64).reshape(shape)


def shake(model: torch.nn.Module) -> None:
    """Moves every weight, norms' too, so that nothing is one or zero; rounds to half precision."""
    for value in model.parameters():
        value.data = (value.data + 0.05 * torch.randn_like(value)).half().float()


def ddim(**config) -> DDIMScheduler:
    """diffusers' DDIM with its schedule in double precision: what is wanted is the formula."""
    with mock.patch.object(torch, "float32", torch.float64):
        return DDIMScheduler(**config)


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
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
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


def bundle(kind: str, tokenizer_folder: Path) -> None:
    """A bundle, what its networks compute, and an image made by diffusers' own pipeline."""
    folder = HERE / kind
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    unet, vae, text, scheduler = networks(kind, len(tokenizer))
    for part, model in (("unet", unet), ("vae", vae), ("text_encoder", text)):
        model.half().save_pretrained(folder / part)
        model.float()
    scheduler.save_pretrained(folder / "scheduler")
    (folder / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(tokenizer_folder / name, folder / "tokenizer" / name)
    card = {
        "name": kind,
        "version": "0",
        "description": "Random weights in the form of Stable Diffusion " + kind[2:],
        "image_size": vae.config.sample_size,
        "findings": [],
        "default_steps": 5,
        "default_guidance_scale": 4.0,
        "licence": "Apache-2.0",
        "attribution": [],
        "training": "none",
        "limits": "Shows nothing.",
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n")
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


def ours(engine: Path) -> Path:
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
    return folder / "tokenizer"


SCHEDULERS = [
    {"prediction_type": prediction, "timestep_spacing": spacing, "rescale_betas_zero_snr": zero}
    for prediction in ("epsilon", "v_prediction", "sample")
    for spacing in ("leading", "trailing", "linspace")
    for zero in (False, True)
    if not (zero and prediction == "epsilon")
]
SCHEDULERS += [
    {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02, "steps_offset": 1},
    {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "trailing", "set_alpha_to_one": False},
    {"num_train_timesteps": 500, "timestep_spacing": "trailing", "set_alpha_to_one": False},
    {"clip_sample": True, "prediction_type": "v_prediction"},
]


def schedulers() -> None:
    """Every sampling step of every form of DDIM, and what training is shown."""
    folder = HERE / "schedulers"
    shutil.rmtree(folder, ignore_errors=True)
    cases, numbers = [], {}
    for number, change in enumerate(SCHEDULERS):
        basis = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
        scheduler = ddim(**(basis | {"clip_sample": False} | change))
        for steps in (1, 7, 50):
            scheduler.set_timesteps(steps)
            sample = torch.randn(1, 2, 2, 3, dtype=torch.float64)
            samples, predictions = [sample], []
            for timestep in scheduler.timesteps:
                prediction = torch.randn_like(sample)
                sample = scheduler.step(prediction, timestep, sample, eta=0.0).prev_sample
                predictions.append(prediction)
                samples.append(sample)
            name = f"{number}.{steps}"
            numbers[f"{name}.timesteps"] = scheduler.timesteps.long()
            numbers[f"{name}.predictions"] = torch.stack(predictions)
            numbers[f"{name}.samples"] = torch.stack(samples)
        clean, noise = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64)
        timesteps = torch.tensor([0, 250, scheduler.config.num_train_timesteps - 1])
        numbers[f"{number}.clean"], numbers[f"{number}.noise"] = clean, noise
        numbers[f"{number}.noisy"] = scheduler.add_noise(clean, noise, timesteps)
        numbers[f"{number}.velocity"] = scheduler.get_velocity(clean, noise, timesteps)
        with tempfile.TemporaryDirectory() as desk:
            scheduler.save_pretrained(desk)
            cases.append(json.loads((Path(desk) / "scheduler_config.json").read_text()))
    folder.mkdir()
    (folder / "configs.json").write_text(json.dumps(cases, indent=1) + "\n")
    write(folder / "expected.safetensors", numbers)


def captions(tokenizer_folder: Path) -> None:
    """What transformers' tokenizer makes of the engine's vocabulary."""
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    cases = [
        {
            "text": text,
            "tokens": tokenizer(
                text, padding="max_length", max_length=TOKENS, truncation=True
            ).input_ids,
            "whole": len(tokenizer(text).input_ids) - 2,
        }
        for text in CAPTIONS
    ]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (HERE / "captions.json").write_text(f"[\n{lines}\n]\n")


def write(path: Path, numbers: dict) -> None:
    """Numbers as float32, counts as int64."""
    save_file(
        {
            name: (value if value.dtype == torch.int64 else value.detach().float()).contiguous()
            for name, value in numbers.items()
        },
        path,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=Path, required=True, help="the program skiagraph-engine")
    options = parser.parse_args()
    torch.manual_seed(1)
    numpy.random.seed(1)
    with torch.no_grad():
        tokenizer_folder = ours(options.engine)
        bundle("sd1", tokenizer_folder)
        bundle("sd2", tokenizer_folder)
        schedulers()
        captions(tokenizer_folder)


if __name__ == "__main__":
    main()
