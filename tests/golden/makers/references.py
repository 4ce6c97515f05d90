"""Reference files in the form of `skiagraph-engine model check`: inputs of a bundle's parts, and what
diffusers and transformers make of them. And checkpoints of one file, in latent diffusion's own names."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from .common import CAPTIONS, HERE, TOKENS, shake
from .pipelines import QUIET
from .schedulers import LATENT

FOLDER = HERE / "references"


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def save(name: str, numbers: dict, **metadata: str) -> None:
    numbers = {
        key: (value if value.dtype == torch.int64 else value.float()).clone().contiguous()
        for key, value in numbers.items()
    }
    keep(numbers, f"{name}.safetensors", metadata)


def keep(tensors: dict, name: str, metadata: dict) -> None:
    """Writes a file that is the same every time: safetensors writes metadata in no order."""
    path = FOLDER / name
    save_file(tensors, path, metadata)
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[end:])


def unet_numbers(unet: UNet2DConditionModel) -> dict:
    config = unet.config
    sample = normal(2, config.in_channels, 8, 12)
    context = normal(2, 5, config.cross_attention_dim)
    timestep = torch.tensor([801, 20])
    numbers = {
        "unet/in/sample": sample,
        "unet/in/timestep": timestep,
        "unet/in/encoder_hidden_states": context,
    }
    added = None
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {
            "text_embeds": normal(2, pooled),
            "time_ids": torch.tensor([[64.0, 48, 0, 8, 64, 64], [32, 32, 4, 0, 64, 32]]).double(),
        }
        numbers |= {f"unet/in/{name}": value for name, value in added.items()}
    result = unet(sample, timestep, context, added_cond_kwargs=added)
    return numbers | {"unet/out/sample": result.sample}


def controlled(unet: UNet2DConditionModel, control: ControlNetModel, factor: int) -> dict:
    """A ControlNet alone, and the UNet under it."""
    sample = normal(1, unet.config.in_channels, 8, 12)
    context = normal(1, 5, unet.config.cross_attention_dim)
    timestep = torch.tensor(301)
    condition = torch.rand(1, 3, 8 * factor, 12 * factor, dtype=torch.float64)
    down, mid = control(sample, timestep, context, condition, return_dict=False)
    inputs = {"sample": sample, "timestep": timestep, "encoder_hidden_states": context}
    numbers = {"controlnet/in/controlnet_cond": condition, "controlnet/out/mid": mid}
    for index, residual in enumerate(down):
        numbers[f"controlnet/out/down_{index}"] = residual
        # Of another size than the ControlNet's, so that one that is not added is seen.
        numbers[f"unet/in/down_{index}"] = residual * 0.7
    numbers["unet/in/mid"] = mid * 0.7
    for part in ("unet", "controlnet"):
        numbers |= {f"{part}/in/{name}": value for name, value in inputs.items()}
    result = unet(
        sample,
        timestep,
        context,
        down_block_additional_residuals=[residual * 0.7 for residual in down],
        mid_block_additional_residual=mid * 0.7,
    )
    return numbers | {"unet/out/sample": result.sample}


def vae_numbers(vae: AutoencoderKL) -> dict:
    unit = 2 ** (len(vae.config.block_out_channels) - 1)
    image = torch.rand(1, vae.config.in_channels, 8 * unit, 12 * unit, dtype=torch.float64) * 2 - 1
    latent = normal(2, vae.config.latent_channels, 5, 7)
    return {
        "vae/in/image": image,
        "vae/out/mean": vae.encode(image).latent_dist.mean,
        "vae/in/latent": latent,
        "vae/out/image": vae.decode(latent).sample,
    }


def text_numbers(text, name: str = "text") -> dict:
    # One token that ends the text, and padding behind it, as the tokenizer makes it.
    tokens = torch.randint(2, text.config.vocab_size, (2, TOKENS))
    tokens[:, 0], tokens[0, 9:], tokens[1, TOKENS - 1 :] = 0, 1, 1
    result = text(tokens)
    pooled = result.text_embeds if hasattr(result, "text_embeds") else result.pooler_output
    return {
        f"{name}/in/input_ids": tokens,
        f"{name}/out/last_hidden_state": result.last_hidden_state,
        f"{name}/out/pooled": pooled,
    }


def scheduler_numbers(scheduler, steps: int) -> dict:
    """A trajectory from noise; every draw of the scheduler is kept."""
    scheduler.set_timesteps(steps)
    noise, draws = normal(1, 4, 4, 6).float(), []
    module = __import__(type(scheduler).__module__, fromlist=["randn_tensor"])

    def draw(shape, **_):
        draws.append(torch.randn(*shape))
        return draws[-1]

    before = getattr(module, "randn_tensor", None)
    module.randn_tensor = draw
    sample, outputs, trajectory = noise * scheduler.init_noise_sigma, [], []
    for timestep in scheduler.timesteps:
        output = torch.randn(noise.shape)
        sample = scheduler.step(output, timestep, sample).prev_sample
        outputs.append(output)
        trajectory.append(sample)
    if before is not None:
        module.randn_tensor = before
    numbers = {f"scheduler/in/noise_{index}": draw for index, draw in enumerate(draws)}
    return numbers | {
        "scheduler/in/noise": noise,
        "scheduler/in/model_outputs": torch.stack(outputs),
        "scheduler/out/trajectory": torch.stack(trajectory),
    }


SCHEDULERS = {
    "ddim": (DDIMScheduler, {}),
    "ddpm": (DDPMScheduler, {"prediction_type": "v_prediction"}),
    "euler": (EulerDiscreteScheduler, {"use_karras_sigmas": True}),
    "heun": (HeunDiscreteScheduler, {}),
    "pndm": (PNDMScheduler, {"skip_prk_steps": True, "steps_offset": 1}),
    "dpm_sde": (
        DPMSolverMultistepScheduler,
        {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True},
    ),
    "lcm": (LCMScheduler, {}),
}


def bundles(tokenizer: CLIPTokenizer) -> None:
    """All parts of bundles that other makers wrote, one file each."""
    for kind, folder in (("sd1", HERE / "sd1"), ("sd2", HERE / "sd2")):
        unet = UNet2DConditionModel.from_pretrained(folder / "unet").double()
        vae = AutoencoderKL.from_pretrained(folder / "vae").double()
        text = CLIPTextModel.from_pretrained(folder / "text_encoder").double()
        scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
        numbers = unet_numbers(unet) | vae_numbers(vae) | text_numbers(text)
        numbers |= scheduler_numbers(scheduler, 6)
        pipeline = StableDiffusionPipeline(
            unet=unet, vae=vae, text_encoder=text, tokenizer=tokenizer, scheduler=scheduler, **QUIET
        )
        pipeline.set_progress_bar_config(disable=True)
        noise = normal(1, 4, 8, 12).float().double()
        unit = 2 ** (len(vae.config.block_out_channels) - 1)
        asked = {"prompt": CAPTIONS[0], "negative_prompt": "blurred"}
        numbers["pipeline/in/noise"] = noise
        numbers["pipeline/out/image"] = pipeline(
            **asked,
            num_inference_steps=6,
            guidance_scale=3.0,
            latents=noise.clone(),
            height=8 * unit,
            width=12 * unit,
            output_type="pt",
        ).images
        save(kind, numbers, **asked, steps="6", guidance_scale="3.0")

    folder = HERE / "pipelines" / "base"
    unet = UNet2DConditionModel.from_pretrained(folder / "unet").double()
    control = ControlNetModel.from_pretrained(folder / "controlnet").double()
    save("controlnet", controlled(unet, control, 2))

    folder = HERE / "pipelines" / "xl"
    unet = UNet2DConditionModel.from_pretrained(folder / "unet").double()
    first = CLIPTextModel.from_pretrained(folder / "text_encoder").double()
    second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2").double()
    save("xl", unet_numbers(unet) | text_numbers(first) | text_numbers(second, "text_2"))


def schedulers() -> None:
    for name, (kind, change) in SCHEDULERS.items():
        settings = {key: value for key, value in LATENT.items() if key != "clip_sample"}
        scheduler = kind(**(settings | change))
        numbers = scheduler_numbers(scheduler, 8)
        save(f"scheduler_{name}", numbers, scheduler=scheduler.to_json_string(), steps="8")


def ldm_resnet(name: str) -> str:
    for old, new in (
        ("norm1", "in_layers.0"),
        ("conv1", "in_layers.2"),
        ("time_emb_proj", "emb_layers.1"),
        ("norm2", "out_layers.0"),
        ("conv2", "out_layers.3"),
        ("conv_shortcut", "skip_connection"),
    ):
        name = name.replace(old, new)
    return name


def ldm_unet(name: str, layers: int, attends: list[bool]) -> str:
    """Latent diffusion's name of a weight of a UNet or a ControlNet."""
    for old, new in (
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("add_embedding.linear_1", "label_emb.0.0"),
        ("add_embedding.linear_2", "label_emb.0.2"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
        ("conv_in", "input_blocks.0.0"),
    ):
        if name.startswith(old):
            return name.replace(old, new)
    head, *rest = name.split(".")
    if head == "mid_block":
        kind, index, *inside = rest
        place = 1 if kind == "attentions" else 2 * int(index)
        inside = ".".join(inside)
        return f"middle_block.{place}." + (ldm_resnet(inside) if kind == "resnets" else inside)
    level, kind, index, *inside = rest
    level, index, inside = int(level), int(index), ".".join(inside)
    if head == "down_blocks":
        number = 1 + level * (layers + 1) + index
        if kind == "downsamplers":
            return f"input_blocks.{1 + level * (layers + 1) + layers}.0.op.{inside.split('.')[-1]}"
        place = "0." + ldm_resnet(inside) if kind == "resnets" else f"1.{inside}"
        return f"input_blocks.{number}.{place}"
    if kind == "upsamplers":
        number = level * (layers + 1) + layers
        return f"output_blocks.{number}.{2 if attends[level] else 1}.{inside}"
    place = "0." + ldm_resnet(inside) if kind == "resnets" else f"1.{inside}"
    return f"output_blocks.{level * (layers + 1) + index}.{place}"


def ldm_controlnet(name: str, layers: int, last: int) -> str:
    parts = name.split(".")
    if parts[0] == "controlnet_cond_embedding":
        if parts[1] == "blocks":
            return f"input_hint_block.{2 * int(parts[2]) + 2}.{parts[3]}"
        return f"input_hint_block.{0 if parts[1] == 'conv_in' else last}.{parts[2]}"
    if parts[0] == "controlnet_down_blocks":
        return f"zero_convs.{parts[1]}.0.{parts[2]}"
    if parts[0] == "controlnet_mid_block":
        return f"middle_block_out.0.{parts[1]}"
    return ldm_unet(name, layers, [])


def ldm_vae(name: str, value: torch.Tensor, levels: int) -> tuple[str, torch.Tensor]:
    side, *rest = name.split(".")
    if rest[0] == "down_blocks" or rest[0] == "up_blocks":
        kind, level = ("down", int(rest[1])) if rest[0] == "down_blocks" else ("up", levels - 1 - int(rest[1]))
        inside = ".".join(rest[4:]).replace("conv_shortcut", "nin_shortcut")
        place = f"block.{rest[3]}" if rest[2] == "resnets" else f"{kind}sample"
        return f"{side}.{kind}.{level}.{place}.{inside}", value
    if rest[0] == "mid_block" and rest[1] == "resnets":
        return f"{side}.mid.block_{int(rest[2]) + 1}." + ".".join(rest[3:]), value
    if rest[0] == "mid_block":
        layer = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"}
        name = f"{side}.mid.attn_1.{layer[rest[3]]}.{rest[-1]}"
        matrix = rest[-1] == "weight" and rest[3] != "group_norm"
        return name, value[:, :, None, None] if matrix else value
    return name.replace("conv_norm_out", "norm_out"), value


def open_clip(weights: dict, extra_layer: bool) -> dict:
    """transformers' text encoder in OpenCLIP's names, with fused projections."""
    weights = {name.removeprefix("text_model."): value for name, value in weights.items()}
    result = {
        "positional_embedding": weights["embeddings.position_embedding.weight"],
        "token_embedding.weight": weights["embeddings.token_embedding.weight"],
        "ln_final.weight": weights["final_layer_norm.weight"],
        "ln_final.bias": weights["final_layer_norm.bias"],
        "logit_scale": torch.tensor(4.6).half(),
    }
    if "text_projection.weight" in weights:
        result["text_projection"] = weights["text_projection.weight"].T
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layers"))
    for layer in range(layers):
        old, new = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            fused = [weights[f"{old}.self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
            result[f"{new}.attn.in_proj_{kind}"] = torch.cat(fused)
            for before, after in (
                ("self_attn.out_proj", "attn.out_proj"),
                ("layer_norm1", "ln_1"),
                ("layer_norm2", "ln_2"),
                ("mlp.fc1", "mlp.c_fc"),
                ("mlp.fc2", "mlp.c_proj"),
            ):
                result[f"{new}.{after}.{kind}"] = weights[f"{old}.{before}.{kind}"]
    if extra_layer:
        # Stable Diffusion 2 takes the layer before the last, and its files hold the last all the same.
        last = {name: value for name, value in result.items() if f"resblocks.{layers - 1}." in name}
        for name, value in last.items():
            result[name.replace(f".{layers - 1}.", f".{layers}.")] = value * 3
        result["text_projection"] = torch.ones_like(result["positional_embedding"])
    return result


def small_unet(kind: str, width: int, context: int, pooled: int) -> UNet2DConditionModel:
    """The least that has Stable Diffusion's rules: 8 heads, or heads of 64 channels."""
    more = {"attention_head_dim": 8} if kind == "sd1" else {}
    if kind != "sd1":
        more = {"attention_head_dim": 1, "use_linear_projection": True}
    if kind == "xl":
        more |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": pooled + 24,
            "transformer_layers_per_block": (1, 2),
        }
    attends = (False, True) if kind == "xl" else (True, False)
    return UNet2DConditionModel(
        sample_size=32,
        # A level without attention may be narrower than a head.
        block_out_channels=(32 if kind == "xl" else width, width),
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple(
            "CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)
        ),
        layers_per_block=1,
        cross_attention_dim=context,
        **more,
    )


def small_text(kind: type, vocabulary: int, act: str, **more):
    return kind(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=80,
            num_hidden_layers=2,
            num_attention_heads=1,
            max_position_embeddings=TOKENS,
            hidden_act=act,
            # As in every model of Stable Diffusion: transformers then takes the largest token.
            bos_token_id=0,
            eos_token_id=2,
            pad_token_id=1,
            **more,
        )
    )


def single_file(kind: str, vocabulary: int) -> None:
    """A checkpoint of one file. diffusers' own conversion must give the weights back."""
    width = 32 if kind == "sd1" else 64
    unet = small_unet(kind, width, 128 if kind == "xl" else 64, 32)
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 32),
        layers_per_block=1,
        latent_channels=4,
        sample_size=64,
    )
    first = small_text(CLIPTextModel, vocabulary, "gelu" if kind == "sd2" else "quick_gelu")
    models = [unet, vae, first]
    if kind == "xl":
        second = small_text(CLIPTextModelWithProjection, vocabulary, "gelu", projection_dim=32)
        models.append(second)
    for model in models:
        shake(model)
        model.half()
    attends = [block.startswith("Cross") for block in unet.config.up_block_types]
    renamed = {
        ldm_unet(name, 1, attends): value for name, value in unet.state_dict().items()
    }
    back = single_file_utils.convert_ldm_unet_checkpoint(
        {f"model.diffusion_model.{name}": value for name, value in renamed.items()}, unet.config
    )
    assert back.keys() == unet.state_dict().keys(), back.keys() ^ unet.state_dict().keys()
    tensors = {f"model.diffusion_model.{name}": value for name, value in renamed.items()}
    renamed = dict(ldm_vae(name, value, 2) for name, value in vae.state_dict().items())
    back = single_file_utils.convert_ldm_vae_checkpoint(
        {f"first_stage_model.{name}": value for name, value in renamed.items()}, vae.config
    )
    assert all(torch.equal(back[name], value) for name, value in vae.state_dict().items())
    if kind != "sd2":
        tensors |= {f"first_stage_model.{name}": value for name, value in renamed.items()}
    words = {f"text_model.{name.removeprefix('text_model.')}": v for name, v in first.state_dict().items()}
    if kind == "sd2":
        renamed = open_clip(words, True)
        tensors |= {f"cond_stage_model.model.{name}": value for name, value in renamed.items()}
    else:
        prefix = "cond_stage_model" if kind == "sd1" else "conditioner.embedders.0"
        tensors |= {f"{prefix}.transformer.{name}": value for name, value in words.items()}
        positions = torch.arange(TOKENS)[None]
        tensors[f"{prefix}.transformer.text_model.embeddings.position_ids"] = positions
    if kind == "xl":
        renamed = open_clip(second.state_dict(), False)
        prefix = "conditioner.embedders.1.model."
        tensors |= {f"{prefix}{name}": value for name, value in renamed.items()}
        fused = single_file_utils.convert_open_clip_checkpoint(
            second, {f"{prefix}{name}": value for name, value in renamed.items()}, prefix
        )
        # Its fused projections are cut by the projection's width, which is the encoder's in CLIP bigG alone.
        same = [name for name in fused if "_proj." not in name or "out_proj" in name]
        assert all(torch.equal(fused[name], second.state_dict()[name]) for name in same)
    # What training programs leave in such a file.
    tensors["model_ema.decay"] = torch.tensor(0.9999)
    tensors["alphas_cumprod"] = torch.linspace(1, 0, 10)
    tensors = {name: value.contiguous().clone() for name, value in tensors.items()}
    metadata = {"modelspec.resolution": "64x64"}
    keep(tensors, f"single_{kind}.safetensors", metadata)

    for model in models:
        model.double().eval()
    numbers = unet_numbers(unet) | text_numbers(first)
    if kind != "sd2":
        numbers |= vae_numbers(vae)
    if kind == "xl":
        numbers |= text_numbers(second, "text_2")
    save(f"single_{kind}_numbers", numbers)
    if kind == "sd1":
        channels = (8, 8, 16, 16)
        control = ControlNetModel.from_unet(
            unet.float(), conditioning_embedding_out_channels=channels
        )
        shake(control)
        control.half()
        tensors = {
            f"control_model.{ldm_controlnet(name, 1, 14)}": value
            for name, value in control.state_dict().items()
        }
        back = single_file_utils.convert_controlnet_checkpoint(dict(tensors), control.config)
        assert back.keys() == control.state_dict().keys(), back.keys() ^ control.state_dict().keys()
        tensors = {name: value.contiguous().clone() for name, value in tensors.items()}
        keep(tensors, "single_controlnet.safetensors", {})
        numbers = controlled(unet.double(), control.double().eval(), 8)
        numbers = {name: value for name, value in numbers.items() if name.startswith("controlnet")}
        save("single_controlnet_numbers", numbers)


def make(_engine: Path) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer")
    bundles(tokenizer)
    schedulers()
    for kind in ("sd1", "sd2", "xl"):
        single_file(kind, len(tokenizer))
