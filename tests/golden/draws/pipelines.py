"""Whole pipelines: text to image by Stable Diffusion 1, 2 and XL and latent consistency models, with a LoRA or not."""

import importlib
import json
from pathlib import Path

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from . import schedulers
from .common import Case, Draw, Skipped, shake, write

HERE = Path(__file__).parent.parent
WORDS = (
    "chest radiograph, PA view; AP; child, male female adult pneumonia pleural effusion (left) [right] "
    "large: small 2nd opacity. no finding! naïve Ödem 胸片 ☺ it's 3.5cm"
).split()
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "conv1", "time_emb_proj"]


def prompt(draw: Draw) -> str:
    return " ".join(draw.choices(WORDS, k=draw.choice([0, 1, 4, 9, 90])))


def text(draw: Draw, kind: type, tokenizer, width: int, **more):
    heads = draw.choice([1, 2])
    return kind(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=24,
            num_hidden_layers=draw.choice([2, 3]),
            num_attention_heads=heads,
            max_position_embeddings=tokenizer.model_max_length,
            hidden_act=draw.choice(["quick_gelu", "gelu"]),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=draw.choice([2, tokenizer.eos_token_id]),
            pad_token_id=1,
            **more,
        )
    )


def parts(draw: Draw, kind: str) -> tuple[type, dict]:
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer")
    tokenizer.model_max_length = draw.choice([77, 32])
    first, second, pooled = 16, 12, 6
    large = kind == "xl"
    levels = draw.choice([2, 3])
    attends = [draw.maybe(0.7) for _ in range(levels)]
    each = 4
    unet = UNet2DConditionModel(
        sample_size=draw.choice([8, 16]),
        block_out_channels=tuple(draw.choice([8, 16]) for _ in range(levels)),
        down_block_types=tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(attends)),
        layers_per_block=draw.choice([1, 2]),
        cross_attention_dim=first + second if large else first,
        attention_head_dim=draw.choice([2, 4]),
        norm_num_groups=4,
        use_linear_projection=kind != "sd1",
        **({"time_cond_proj_dim": 10} if kind == "lcm" else {}),
        **(
            {
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": each,
                "projection_class_embeddings_input_dim": pooled + 6 * each,
            }
            if large
            else {}
        ),
    )
    deep = draw.choice([2, 3])
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * deep,
        up_block_types=("UpDecoderBlock2D",) * deep,
        block_out_channels=(4, 8, 8)[:deep],
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=32,
        scaling_factor=draw.choice([0.18215, 0.13025]),
        **draw.sometimes(0.1, force_upcast=[False], shift_factor=[0.1]),
    )
    built = {"vae": vae, "unet": unet, "tokenizer": tokenizer, "text_encoder": text(draw, CLIPTextModel, tokenizer, first)}
    if not large:
        quiet = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        return StableDiffusionPipeline, built | quiet
    built["text_encoder_2"] = text(draw, CLIPTextModelWithProjection, tokenizer, second, projection_dim=pooled)
    built["tokenizer_2"] = CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer", model_max_length=tokenizer.model_max_length)
    return StableDiffusionXLPipeline, built | draw.sometimes(0.4, force_zeros_for_empty_prompt=[True, False])


def scheduler(draw: Draw, kind: str):
    name = "LCM" if kind == "lcm" else draw.choice(
        [name for name in schedulers.KINDS if name not in ("LCM", "FlowMatchEulerDiscrete")]
    )
    settings = {**schedulers.LATENT, **draw.sometimes(0.6, timestep_spacing=["leading", "trailing", "linspace"])}
    settings |= {"prediction_type": "v_prediction"} if kind == "sd2" else {}
    if name in ("DDIM", "DDPM"):
        settings["clip_sample"] = False
    if name == "PNDM":
        settings["skip_prk_steps"] = True
    if name in ("EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep", "HeunDiscrete"):
        settings |= draw.sometimes(0.4, use_karras_sigmas=[True])
    if name == "DPMSolverMultistep":
        settings |= draw.sometimes(0.4, algorithm_type=["sde-dpmsolver++"], solver_order=[2, 3])
    return getattr(diffusers, f"{name}Scheduler")(**settings)


def lora(draw: Draw, pipeline, kind: type, folder: Path) -> tuple[Path, float]:
    """A LoRA as PEFT makes it and diffusers saves it, loaded into the pipeline."""
    rank = draw.choice([1, 2, 4])
    targets = draw.sample(TARGETS, k=draw.choice([2, 4, 6]))
    config = LoraConfig(
        r=rank, lora_alpha=draw.choice([rank, 2 * rank, 3]), target_modules=targets, init_lora_weights="gaussian",
        use_dora=draw.maybe(0.15),
    )
    pipeline.unet.add_adapter(config, adapter_name="made")
    layers = {"unet_lora_layers": get_peft_model_state_dict(pipeline.unet, adapter_name="made")}
    of_text = draw.maybe(0.4)
    if of_text:
        words = LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=["q_proj", "v_proj", "fc1"], init_lora_weights="gaussian"
        )
        pipeline.text_encoder.add_adapter(words, adapter_name="made")
        layers["text_encoder_lora_layers"] = get_peft_model_state_dict(pipeline.text_encoder, adapter_name="made")
    layers = {name: {key: torch.randn_like(value) * 0.1 for key, value in each.items()} for name, each in layers.items()}
    more = {}
    if draw.maybe(0.5):
        more["unet_lora_adapter_metadata"] = json.loads(json.dumps(config.to_dict(), default=list))
        if of_text:
            more["text_encoder_lora_adapter_metadata"] = json.loads(json.dumps(words.to_dict(), default=list))
    kind.save_lora_weights(folder / "lora", **layers, **more)
    pipeline.unet.delete_adapters("made")
    if of_text:
        pipeline.text_encoder.delete_adapter("made")
    scale = draw.choice([1.0, 0.7, 0.25])
    pipeline.load_lora_weights(folder / "lora", weight_name="pytorch_lora_weights.safetensors", adapter_name="loaded")
    pipeline.set_adapters(["loaded"], [scale])
    return folder / "lora" / "pytorch_lora_weights.safetensors", scale


def case(draw: Draw, folder: Path) -> Case:
    kind = draw.choice(["sd1", "sd2", "xl", "lcm", "sd1", "xl"])
    of, built = parts(draw, kind)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if part in built:
            shake(built[part])
    pipeline = of(**built, scheduler=scheduler(draw, kind))
    half = draw.maybe(0.3)
    if half:
        pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, **({"variant": "fp16"} if half and draw.maybe(0.5) else {}))
    pipeline.to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    metadata = {"prompt": prompt(draw), "steps": draw.choice([1, 4, 7, 12])}
    if draw.maybe(0.9):
        metadata["guidance_scale"] = draw.choice([1.0, 7.5, 3, 0.0, 12.5])
    if draw.maybe(0.5):
        metadata["negative_prompt"] = prompt(draw)
    words = {"kind": kind, "scheduler": type(pipeline.scheduler).__name__, "settings": dict(pipeline.scheduler.config)}
    if draw.maybe(0.3):
        other = scheduler(draw, kind)
        metadata["scheduler"] = other.to_json_string()
        pipeline.scheduler = other
        words["scheduler"], words["settings"] = type(other).__name__, dict(other.config)
    if draw.maybe(0.3):
        path, scale = lora(draw, pipeline, of, folder)
        metadata["lora"] = draw.choice(
            [
                json.dumps({"path": str(path), "scale": scale}),
                json.dumps({"path": str(path.parent), "scale": scale}),
                f"{path}:{scale}",
                f"{path} {scale}",
                f"{path.relative_to(folder)} {scale}",
            ]
        )
    batch, height, width = draw.choice([(1, 8, 8), (2, 8, 8), (1, 8, 16), (2, 12, 8)])
    noise = torch.randn(batch, 4, height, width)
    draws = []

    def drawn(shape, generator=None, device=None, dtype=None, layout=None):
        draws.append(torch.randn(*shape))
        return draws[-1]

    module = importlib.import_module(type(pipeline.scheduler).__module__)
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = drawn
    unit = pipeline.vae_scale_factor
    try:
        image = pipeline(
            metadata["prompt"],
            negative_prompt=metadata.get("negative_prompt"),
            num_inference_steps=metadata["steps"],
            latents=noise,
            num_images_per_prompt=batch,
            height=height * unit,
            width=width * unit,
            output_type="pt",
            **({"guidance_scale": metadata["guidance_scale"]} if "guidance_scale" in metadata else {}),
        ).images
    except (ValueError, IndexError) as cause:
        raise Skipped(str(cause).splitlines()[0]) from cause
    if not torch.isfinite(image).all() or float(image.std()) < 1e-3:
        raise Skipped("no image")
    if "negative_prompt" not in metadata and draw.maybe(0.3):
        # It says nothing, and an empty entry may say so.
        if kind != "xl" or pipeline.config.force_zeros_for_empty_prompt:
            metadata["negative_prompt"] = ""
    spread = float(pipeline.scheduler.init_noise_sigma)
    tensors = {"pipeline/in/noise": noise * spread if draw.maybe(0.3) else noise, "pipeline/out/image": image}
    tensors |= {f"scheduler/in/noise_{index}": one for index, one in enumerate(draws)}
    write(folder / "reference.safetensors", tensors, metadata)
    return Case(folder, folder / "reference.safetensors", 1e-3, metadata | words)
