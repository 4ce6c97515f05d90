"""Whole pipelines under the less common parameters of diffusers, and with words that were learned.

The models are those of `pipelines`, the embeddings those of `adapters`.
"""

import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    MultiAdapter,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetInpaintPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    T2IAdapter,
    UNet2DConditionModel,
)
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from .common import HERE, shake, write
from .pipelines import FOLDER as MODELS
from .pipelines import NEGATIVE, PROMPT, QUIET, SIDE, STEPS, colour, noise_of, pictures, scheduler

FOLDER = HERE / "parameters"
ADAPTERS = HERE / "adapters"
WORDS = {"prompt": "chest radiograph, haze over <opacity>, child", "negative_prompt": "blurred <opacity>"}
SIZE = {"height": SIDE, "width": SIDE}
TIMESTEPS = [981, 700, 421, 199, 60, 3]

images = {}


def load(kind: type, path: Path):
    return kind.from_pretrained(path).double().eval()


def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer")


def run(name: str, pipeline, **options) -> None:
    """The image that `pipeline` makes, as `pipelines` does."""
    asked = {
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "num_inference_steps": STEPS,
        "guidance_scale": 4.0,
        "output_type": "latent",
    }
    pipeline.set_progress_bar_config(disable=True)
    with noise_of(7):
        clean = pipeline(**(asked | options)).images
    image = pipeline.vae.decode(clean / pipeline.vae.config.scaling_factor).sample
    image = (image / 2 + 0.5).clamp(0, 1)
    share = ((image == 0) | (image == 1)).double().mean().item()
    print(name, tuple(image.shape), f"saturated {share:.3f}")
    assert share < 0.6, "an image that says little"
    assert not any(torch.equal(image, other) for other in images.values()), "another image's twin"
    images[name] = image


def parts(name: str = "base", **more) -> dict:
    """A pipeline's parts, from the files that the engine reads."""
    folder = MODELS / name
    common = {
        "unet": load(UNet2DConditionModel, folder / "unet"),
        "vae": load(AutoencoderKL, folder / "vae"),
        "text_encoder": load(CLIPTextModel, folder / "text_encoder"),
        "tokenizer": tokenizer(),
        "scheduler": scheduler(),
    }
    return common | QUIET | more


def courses() -> None:
    """Noise on the way, layers that are left out, and noise levels of one's own."""
    run("eta", StableDiffusionPipeline(**parts()), eta=0.6, **SIZE)
    init = colour(pictures()["init"])
    run("eta_image", StableDiffusionImg2ImgPipeline(**parts()), image=init, strength=0.6, eta=1.0)
    # Where this diffusers looks for the last norm, and this transformers has it no more.
    CLIPTextModel.text_model = property(lambda encoder: encoder)
    run("clip_skip", StableDiffusionPipeline(**parts()), clip_skip=1, **SIZE)
    for kind in (
        DDPMScheduler,
        DPMSolverMultistepScheduler,
        EulerDiscreteScheduler,
        HeunDiscreteScheduler,
        LCMScheduler,
    ):
        named = f"timesteps.{kind.__name__.removesuffix('Scheduler')}"
        pipeline = StableDiffusionPipeline(**parts(scheduler=kind.from_config(scheduler().config)))
        run(named, pipeline, timesteps=TIMESTEPS, **SIZE)
    euler = EulerDiscreteScheduler.from_config(scheduler().config)
    sigmas = [13.0, 6.5, 2.5, 1.0, 0.3, 0.0]
    run("sigmas", StableDiffusionPipeline(**parts(scheduler=euler)), sigmas=sigmas, **SIZE)


def controls() -> None:
    """ControlNets without guidance's other half, into an image, and T2I-Adapters."""
    shown = pictures()
    init, lungs, edges = (colour(shown[name]) for name in ("init", "lungs", "edges"))
    mask = shown["mask"].double()[None, None]
    nets = [load(ControlNetModel, MODELS / "base" / part) for part in ("controlnet", "controlnet_1")]
    one = StableDiffusionControlNetPipeline(**parts(controlnet=nets[0]))
    guess = {"guess_mode": True, "controlnet_conditioning_scale": 0.8}
    run("guess", one, image=lungs, **guess, **SIZE)
    run("guess_unguided", one, image=lungs, **guess, guidance_scale=1.0, **SIZE)
    both = StableDiffusionControlNetPipeline(**parts(controlnet=MultiControlNetModel(nets)))
    guess["controlnet_conditioning_scale"] = [0.8, 0.5]
    run("guess_two", both, image=[lungs, edges], **guess, **SIZE)
    pooling = load(ControlNetModel, MODELS / "base" / "controlnet")
    pooling.register_to_config(global_pool_conditions=True)
    pooled = StableDiffusionControlNetPipeline(**parts(controlnet=pooling))
    run("pooled", pooled, image=lungs, controlnet_conditioning_scale=0.8, **SIZE)
    into = {"image": init, "mask_image": mask, "control_image": lungs, "controlnet_conditioning_scale": 0.8}
    blend = StableDiffusionControlNetInpaintPipeline(**parts(controlnet=nets[0]))
    run("control_inpaint", blend, strength=1.0, **into, **SIZE)
    run("control_inpaint_part", blend, strength=0.7, **into, **SIZE)
    paint = StableDiffusionControlNetInpaintPipeline(**parts("painter", controlnet=nets[0]))
    run("control_inpaint_9", paint, strength=0.7, **into, **SIZE)

    adapters = []
    for name in ("t2i_adapter", "t2i_adapter_1"):
        adapter = T2IAdapter(
            in_channels=3, channels=[16, 32], num_res_blocks=1, downscale_factor=2, adapter_type="full_adapter"
        )
        shake(adapter)
        adapter.half().save_pretrained(FOLDER / name)
        adapters.append(adapter.double().eval())
    adapter = StableDiffusionAdapterPipeline(**parts(adapter=adapters[0]))
    run("adapter", adapter, image=lungs, adapter_conditioning_scale=0.8, **SIZE)
    adapter = StableDiffusionAdapterPipeline(**parts(adapter=MultiAdapter(adapters).double()))
    run("two_adapters", adapter, image=[lungs, edges], adapter_conditioning_scale=[0.8, 0.5], **SIZE)


def words() -> None:
    """Textual inversion: one vector, and several of AUTOMATIC1111's form."""
    pipeline = StableDiffusionPipeline(**parts())
    pipeline.load_textual_inversion(ADAPTERS, weight_name="learned_embeds.safetensors")
    pipeline.load_textual_inversion(ADAPTERS, weight_name="haze.safetensors", token="haze")
    pipeline.text_encoder.double()
    run("embedding", pipeline, **WORDS, **SIZE)


def xl() -> None:
    """Stable Diffusion XL: sizes, layers that are left out, a word for both encoders."""
    folder = MODELS / "xl"

    def pipeline() -> StableDiffusionXLPipeline:
        return StableDiffusionXLPipeline(
            vae=load(AutoencoderKL, folder / "vae"),
            text_encoder=load(CLIPTextModel, folder / "text_encoder"),
            text_encoder_2=load(CLIPTextModelWithProjection, folder / "text_encoder_2"),
            tokenizer=tokenizer(),
            tokenizer_2=tokenizer(),
            unet=load(UNet2DConditionModel, folder / "unet"),
            scheduler=EulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
            add_watermarker=False,
        )

    sizes = {"original_size": (64, 48), "crops_coords_top_left": (4, 8), "target_size": (40, 32)}
    run("xl_sizes", pipeline(), **sizes, **SIZE)
    away = {"negative_original_size": (16, 24), "negative_target_size": (24, 16)}
    run("xl_negative_sizes", pipeline(), **away, negative_crops_coords_top_left=(2, 0), **SIZE)
    run("xl_clip_skip", pipeline(), clip_skip=1, **SIZE)
    learned = pipeline()
    state = load_file(ADAPTERS / "inversion_xl.safetensors")
    for key, encoder, reader in (
        ("clip_l", learned.text_encoder, learned.tokenizer),
        ("clip_g", learned.text_encoder_2, learned.tokenizer_2),
    ):
        learned.load_textual_inversion(state[key], token="fog", text_encoder=encoder, tokenizer=reader)
        encoder.double()
    run("xl_embedding", learned, prompt="chest radiograph, fog, child", negative_prompt="fog", **SIZE)


def make(_engine: Path) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    images.clear()
    courses()
    controls()
    words()
    xl()
    write(FOLDER / "expected.safetensors", images)
