"""Image prompts: CLIP's image encoder and its processor, and IP-Adapters on the pipelines' tiny models."""

import json
import shutil
from pathlib import Path

import numpy
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from .common import HERE, TOKENS, WIDTH, shake, write
from .pipelines import NEGATIVE, PROMPT, QUIET, SIDE, STEPS, noise_of

FOLDER = HERE / "vision"
MODELS = HERE / "pipelines"
SIZE = 16
HIDDEN = 16
EMBEDDING = 12
PROCESSORS = {
    "default": {"size": SIZE, "crop_size": SIZE},
    "padded": {
        "size": {"shortest_edge": 11},
        "crop_size": {"height": SIZE, "width": SIZE},
        "resample": 1,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.5, 0.25, 0.2],
    },
    "whole": {
        "size": {"height": SIZE, "width": SIZE},
        "do_center_crop": False,
        "resample": 2,
        "do_normalize": False,
    },
    "larger": {"size": {"shortest_edge": 21}, "crop_size": {"height": SIZE, "width": SIZE}},
}


def pictures() -> dict[str, numpy.ndarray]:
    """Grey pictures of odd sizes, with edges and noise; one is smaller than the encoder's."""
    shown = {}
    for name, (height, width) in {
        "portrait": (53, 37),
        "landscape": (17, 100),
        "small": (7, 9),
        "fitting": (SIZE, SIZE),
        "large": (211, 190),
    }.items():
        y, x = numpy.mgrid[0:height, 0:width] / max(height, width)
        values = 128 + 90 * numpy.sin(9 * x + 4 * y) + 60 * (x * y > 0.2)
        values += numpy.random.normal(0, 30, values.shape)
        shown[name] = values.clip(0, 255).astype(numpy.uint8)
    return shown


def settings(**more) -> dict:
    return {
        "hidden_size": HIDDEN,
        "intermediate_size": 24,
        "projection_dim": EMBEDDING,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": SIZE,
        "patch_size": 4,
    } | more


def encoders(numbers: dict) -> CLIPVisionModelWithProjection:
    """An encoder alone, and one in a whole CLIP model whose patches leave a rim of the image."""
    alone = CLIPVisionModelWithProjection(CLIPVisionConfig(**settings()))
    text = {
        "vocab_size": 40,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": TOKENS,
        "projection_dim": EMBEDDING,
    }
    vision = settings(hidden_act="gelu", patch_size=5, num_hidden_layers=1, layer_norm_eps=1e-3)
    whole = CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=EMBEDDING)
    )
    pixels = torch.randn(2, 3, SIZE, SIZE, dtype=torch.float64)
    numbers["encoder.pixels"] = pixels
    for name, model in (("image_encoder", alone), ("whole", whole)):
        shake(model)
        model.half().save_pretrained(FOLDER / name)
    read = CLIPVisionModelWithProjection.from_pretrained(FOLDER / "whole", dtype=torch.float32)
    for name, model in (("image_encoder", alone), ("whole", read)):
        seen = model.double().eval()(pixels, output_hidden_states=True)
        numbers[f"{name}.embeds"] = seen.image_embeds
        numbers[f"{name}.penultimate"] = seen.hidden_states[-2]
    return alone


def half(*shape: int, spread: float = 0.3) -> torch.Tensor:
    return (spread * torch.randn(*shape)).half()


def norm(weights: dict, name: str, width: int) -> None:
    weights[f"{name}.weight"] = (1 + 0.2 * torch.randn(width)).half()
    weights[f"{name}.bias"] = half(width, spread=0.1)


def linear(weights: dict, name: str, into: int, out: int, bias: bool = True) -> None:
    weights[f"{name}.weight"] = half(out, into)
    if bias:
        weights[f"{name}.bias"] = half(out, spread=0.1)


def projection(kind: str, width: int) -> dict:
    """`image_proj` as each kind is published."""
    weights = {}
    if kind == "embedding":
        linear(weights, "proj", EMBEDDING, 4 * width)
        norm(weights, "norm", width)
    elif kind == "full":
        linear(weights, "proj.0", HIDDEN, HIDDEN)
        linear(weights, "proj.2", HIDDEN, width)
        norm(weights, "proj.3", width)
    else:
        inside, heads = 8, 2
        weights["latents"] = half(1, 5, inside)
        linear(weights, "proj_in", HIDDEN, inside)
        linear(weights, "proj_out", inside, width)
        norm(weights, "norm_out", width)
        for layer in range(4):
            at = f"layers.{layer}"
            norm(weights, f"{at}.0.norm1", inside)
            norm(weights, f"{at}.0.norm2", inside)
            linear(weights, f"{at}.0.to_q", inside, 64 * heads, bias=False)
            linear(weights, f"{at}.0.to_kv", inside, 2 * 64 * heads, bias=False)
            linear(weights, f"{at}.0.to_out", 64 * heads, inside, bias=False)
            norm(weights, f"{at}.1.0", inside)
            linear(weights, f"{at}.1.1", inside, 4 * inside, bias=False)
            linear(weights, f"{at}.1.3", 4 * inside, inside, bias=False)
    return weights


def adapter(name: str, kind: str, unet: UNet2DConditionModel) -> None:
    """A file in the published form, its keys and values numbered as diffusers counts attentions."""
    width = unet.config.cross_attention_dim
    weights = {f"image_proj.{key}": value for key, value in projection(kind, width).items()}
    number = 1
    for place in unet.attn_processors:
        if place.endswith("attn2.processor"):
            attention = unet.get_submodule(place.removesuffix(".processor"))
            inner = attention.to_k.out_features
            weights[f"ip_adapter.{number}.to_k_ip.weight"] = half(inner, width)
            weights[f"ip_adapter.{number}.to_v_ip.weight"] = half(inner, width, spread=0.5)
            number += 2
    save_file(weights, FOLDER / f"{name}.safetensors")


def part(kind: type, model: str, folder: str):
    return kind.from_pretrained(MODELS / model / folder).float().double().eval()


def load(pipeline: StableDiffusionPipeline, names: list[str], scales: list[float]) -> None:
    pipeline.load_ip_adapter(
        str(FOLDER),
        subfolder="",
        weight_name=[f"{name}.safetensors" for name in names],
        low_cpu_mem_usage=False,
    )
    pipeline.unet.double()
    pipeline.set_ip_adapter_scale(scales)


def processors(shown: dict, numbers: dict) -> dict:
    made = {}
    for name, options in PROCESSORS.items():
        made[name] = CLIPImageProcessorPil(**options)
        # diffusers makes the default one where there is no file.
        if name != "default":
            folder = FOLDER / "processors" / name
            folder.mkdir(parents=True)
            config = {key: value for key, value in made[name].to_dict().items() if value is not None}
            (folder / "preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n")
        for picture, values in shown.items():
            pixels = made[name](Image.fromarray(values), return_tensors="pt").pixel_values
            numbers[f"processor.{name}.{picture}"] = pixels
    return made


def networks(pipeline: StableDiffusionPipeline, numbers: dict) -> None:
    """One call of each UNet, and the tokens that it attends to."""
    large = part(UNet2DConditionModel, "xl", "unet")
    adapter("xl", "plus", large)
    large._load_ip_adapter_weights([split("xl")], low_cpu_mem_usage=False)
    large.double()
    embeds = torch.randn(2, 1, EMBEDDING, dtype=torch.float64)
    hidden = torch.randn(2, 1, 17, HIDDEN, dtype=torch.float64)
    timesteps = torch.tensor([999, 3])
    sample = torch.randn(2, 4, 8, 12, dtype=torch.float64)
    numbers |= {"unet.embeds": embeds[:, 0], "unet.hidden": hidden[:, 0]}
    numbers |= {"unet.timesteps": timesteps, "unet.sample": sample}
    for name in ("embedding", "plus", "full"):
        load(pipeline, [name], [0.6])
        seen = embeds if name == "embedding" else hidden
        context = torch.randn(2, 5, WIDTH, dtype=torch.float64)
        numbers[f"unet.{name}.context"] = context
        numbers[f"unet.{name}.tokens"] = pipeline.unet.encoder_hid_proj([seen])[0][:, 0]
        numbers[f"unet.{name}.prediction"] = pipeline.unet(
            sample, timesteps, context, added_cond_kwargs={"image_embeds": [seen]}
        ).sample
    added = {
        "text_embeds": torch.randn(2, 20, dtype=torch.float64),
        "time_ids": torch.tensor([[32, 32, 0, 0, 32, 32]] * 2, dtype=torch.float64),
    }
    context = torch.randn(2, 5, large.config.cross_attention_dim, dtype=torch.float64)
    numbers |= {f"unet.xl.{key}": value for key, value in added.items()}
    numbers["unet.xl.context"] = context
    numbers["unet.xl.prediction"] = large(
        sample, timesteps, context, added_cond_kwargs=added | {"image_embeds": [hidden]}
    ).sample


def split(name: str) -> dict:
    from safetensors.torch import load_file

    halves = {"image_proj": {}, "ip_adapter": {}}
    for key, value in load_file(FOLDER / f"{name}.safetensors").items():
        first, rest = key.split(".", 1)
        halves[first][rest] = value
    return halves


def make(_engine: Path) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    numbers, shown = {}, pictures()
    encoder = encoders(numbers)
    made = processors(shown, numbers)
    unet = part(UNet2DConditionModel, "base", "unet")
    for kind in ("embedding", "plus", "full"):
        adapter(kind, kind, unet)
    vae = part(AutoencoderKL, "base", "vae")
    pipeline = StableDiffusionPipeline(
        unet=unet,
        vae=vae,
        text_encoder=part(CLIPTextModel, "base", "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(MODELS / "base" / "scheduler"),
        image_encoder=encoder,
        **(QUIET | {"feature_extractor": made["default"]}),
    )
    pipeline.set_progress_bar_config(disable=True)
    networks(pipeline, numbers)
    for name, files, scales, guidance in (
        ("embedding", ["embedding"], [0.8], 4.0),
        ("embedding_unguided", ["embedding"], [0.8], 1.0),
        ("plus", ["plus"], [0.8], 4.0),
        ("full", ["full"], [0.5], 4.0),
        ("two", ["plus", "plus"], [0.7, 0.4], 4.0),
    ):
        load(pipeline, files, scales)
        images = [Image.fromarray(shown[name]) for name in ("portrait", "landscape")]
        with noise_of(7):
            clean = pipeline(
                prompt=PROMPT,
                negative_prompt=NEGATIVE,
                num_inference_steps=STEPS,
                guidance_scale=guidance,
                height=SIDE,
                width=SIDE,
                output_type="latent",
                ip_adapter_image=images[: len(files)],
            ).images
        image = vae.decode(clean / vae.config.scaling_factor).sample
        image = (image / 2 + 0.5).clamp(0, 1)
        share = ((image == 0) | (image == 1)).double().mean().item()
        print("vision", name, f"saturated {share:.3f}")
        assert share < 0.6, "an image that says little"
        numbers[f"pipeline.{name}"] = image
    write(FOLDER / "expected.safetensors", numbers)
    grey = {name: torch.from_numpy(values).float() / 255 for name, values in shown.items()}
    write(FOLDER / "shown.safetensors", grey)
