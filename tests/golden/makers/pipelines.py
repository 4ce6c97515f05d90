"""Whole pipelines: what diffusers' own make of tiny models, from the engine's own noise.

Every draw of normal numbers within diffusers is replaced by the engine's (`common.Noise`), in the
order in which diffusers asks for them, so that one seed means one image on both sides.
"""

import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from .common import CAPTIONS, HERE, TOKENS, WIDTH, Noise, dress, shake, write
from .schedulers import LATENT, ddim

FOLDER = HERE / "pipelines"
STEPS = 6
SIDE = 32
PROMPT, NEGATIVE = CAPTIONS[0], "blurred"
QUIET = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


@contextmanager
def noise_of(seed: int):
    """Every `randn_tensor` of diffusers draws from the engine's noise."""
    noise = Noise(seed)

    def draw(shape, generator=None, device=None, dtype=None, layout=None):
        return noise.normal(*shape).float().double()

    places = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("diffusers") and "randn_tensor" in vars(module)
    ]
    before = [module.randn_tensor for module in places]
    for module in places:
        module.randn_tensor = draw
    try:
        yield
    finally:
        for module, function in zip(places, before):
            module.randn_tensor = function


def text(kind: type, vocabulary: int, width: int, act: str, **more):
    return kind(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=40,
            num_hidden_layers=3,
            num_attention_heads=width // 8,
            max_position_embeddings=TOKENS,
            hidden_act=act,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
            **more,
        )
    )


def unet(in_channels: int = 4, **more) -> UNet2DConditionModel:
    settings = {
        "sample_size": SIDE // 2,
        "in_channels": in_channels,
        "out_channels": 4,
        "block_out_channels": (16, 32),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 2,
        "norm_num_groups": 8,
    }
    return UNet2DConditionModel(**(settings | more))


def vae() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIDE,
        scaling_factor=0.18215,
    )


def controlnet(of: UNet2DConditionModel) -> ControlNetModel:
    return ControlNetModel.from_unet(of, conditioning_embedding_out_channels=(8, 8))


def scheduler():
    return ddim(**LATENT, set_alpha_to_one=False, steps_offset=1)


def save(name: str, parts: dict, tokenizers: list[str], **index) -> None:
    """Writes a bundle as diffusers would, with a card."""
    folder = FOLDER / name
    for part, model in parts.items():
        if isinstance(model, torch.nn.Module):
            model.half().save_pretrained(folder / part)
            model.double().eval()
        else:
            model.save_pretrained(folder / part)
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    dress(folder, SIDE, STEPS, "Random weights.", tokenizers)


def pictures() -> dict:
    """A picture, a mask and two condition images, grey, 0 to 1."""
    y, x = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    mask = torch.zeros(SIDE, SIDE)
    mask[6:20, 10:27] = 1
    return {
        "init": 0.5 + 0.4 * torch.sin(7 * x + 3 * y),
        "mask": mask,
        "lungs": ((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.1).float(),
        "edges": (torch.sin(20 * x * y) > 0.6).float(),
    }


def colour(picture: torch.Tensor) -> torch.Tensor:
    return picture.double()[None, None].repeat(1, 3, 1, 1)


def make(_engine: Path) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer")
    images, shown = {}, pictures()
    init, lungs, edges = (colour(shown[name]) for name in ("init", "lungs", "edges"))
    mask = shown["mask"].double()[None, None]
    encoder, network, coder = text(CLIPTextModel, len(tokenizer), WIDTH, "quick_gelu"), unet(), vae()
    painter = unet(9)
    for model in (encoder, network, coder, painter):
        shake(model)
    nets = [controlnet(network), controlnet(network)]
    for net in nets:
        shake(net)
    parts = {"unet": network, "vae": coder, "text_encoder": encoder, "scheduler": scheduler()}
    save("base", parts | {"controlnet": nets[0], "controlnet_1": nets[1]}, ["tokenizer"])
    save("painter", parts | {"unet": painter}, ["tokenizer"])
    common = {
        "vae": coder,
        "text_encoder": encoder,
        "tokenizer": tokenizer,
        "scheduler": scheduler(),
    }
    asked = {
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "num_inference_steps": STEPS,
        "guidance_scale": 4.0,
        "output_type": "latent",
    }

    def run(name: str, pipeline, vae_of=coder, **options) -> None:
        pipeline.set_progress_bar_config(disable=True)
        with noise_of(7):
            clean = pipeline(**(asked | options)).images
        image = vae_of.decode(clean / vae_of.config.scaling_factor).sample
        image = (image / 2 + 0.5).clamp(0, 1)
        share = ((image == 0) | (image == 1)).double().mean().item()
        print(name, tuple(image.shape), f"saturated {share:.3f}")
        assert share < 0.6, "an image that says little"
        images[name] = image

    plain = StableDiffusionPipeline(unet=network, **common, **QUIET)
    run("text_to_image", plain, height=SIDE, width=SIDE)
    run("rescaled", plain, height=SIDE, width=SIDE, guidance_rescale=0.7)
    run("wide", plain, height=24, width=40)
    euler = EulerDiscreteScheduler.from_config(common["scheduler"].config)
    with_euler = StableDiffusionPipeline(unet=network, **(common | {"scheduler": euler}), **QUIET)
    run("euler", with_euler, height=SIDE, width=SIDE)
    towards = StableDiffusionImg2ImgPipeline(unet=network, **common, **QUIET)
    run("image_to_image", towards, image=init, strength=0.6)
    run("image_to_image_whole", towards, image=init, strength=1.0)
    blend = StableDiffusionInpaintPipeline(unet=network, **common, **QUIET)
    size = {"height": SIDE, "width": SIDE}
    run("inpaint_blend", blend, image=init, mask_image=mask, strength=1.0, **size)
    run("inpaint_blend_part", blend, image=init, mask_image=mask, strength=0.7, **size)
    paint = StableDiffusionInpaintPipeline(unet=painter, **common, **QUIET)
    run("inpaint_9", paint, image=init, mask_image=mask, strength=1.0, **size)
    run("inpaint_9_part", paint, image=init, mask_image=mask, strength=0.7, **size)
    one = StableDiffusionControlNetPipeline(unet=network, controlnet=nets[0], **common, **QUIET)
    run("control", one, image=lungs, controlnet_conditioning_scale=0.8, **size)
    two = MultiControlNetModel(nets)
    both = StableDiffusionControlNetPipeline(unet=network, controlnet=two, **common, **QUIET)
    run(
        "two_controls",
        both,
        image=[lungs, edges],
        controlnet_conditioning_scale=[0.8, 0.5],
        control_guidance_start=[0.0, 0.2],
        control_guidance_end=[0.7, 1.0],
        **size,
    )
    drawn = StableDiffusionControlNetImg2ImgPipeline(
        unet=network, controlnet=nets[0], **common, **QUIET
    )
    run(
        "control_image_to_image",
        drawn,
        image=init,
        control_image=lungs,
        strength=0.6,
        controlnet_conditioning_scale=0.8,
    )
    xl(tokenizer, run, size)
    write(FOLDER / "expected.safetensors", images)
    write(FOLDER / "shown.safetensors", shown)


def xl(tokenizer, run, size: dict) -> None:
    """Stable Diffusion XL's form: two encoders, the pooled text, the sizes."""
    first = text(CLIPTextModel, len(tokenizer), 16, "quick_gelu")
    second = text(CLIPTextModelWithProjection, len(tokenizer), 24, "gelu", projection_dim=20)
    network = unet(
        cross_attention_dim=40,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=20 + 6 * 8,
        use_linear_projection=True,
        transformer_layers_per_block=(1, 2),
        attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    coder = vae()
    for model in (first, second, network, coder):
        shake(model)
    parts = {
        "unet": network,
        "vae": coder,
        "text_encoder": first,
        "text_encoder_2": second,
        "scheduler": EulerDiscreteScheduler.from_config(scheduler().config),
    }
    save(
        "xl",
        parts,
        ["tokenizer", "tokenizer_2"],
        _class_name="StableDiffusionXLPipeline",
        force_zeros_for_empty_prompt=True,
    )
    pipeline = StableDiffusionXLPipeline(
        vae=coder,
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=network,
        scheduler=parts["scheduler"],
        add_watermarker=False,
    )
    run("xl", pipeline, vae_of=coder, **size)
    run("xl_no_negative", pipeline, vae_of=coder, negative_prompt=None, **size)
