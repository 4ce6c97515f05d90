"""Adapters in every form: what peft and diffusers make of them on the pipelines' tiny models.

Files are written by peft and diffusers themselves where they write the form; kohya's and LyCORIS's are
built here, key by key, and read by diffusers where it can, so that two programs agree on them.
"""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from .common import HERE, TOKENS, WIDTH, write
from .pipelines import NEGATIVE, PROMPT, QUIET, SIDE, STEPS, noise_of

FOLDER = HERE / "adapters"
BASE, XL = HERE / "pipelines" / "base", HERE / "pipelines" / "xl"
LINEAR = ["to_q", "to_k", "to_v", "to_out.0"]
TEXT = ["q_proj", "v_proj", "out_proj", "fc1", "fc2"]
numbers: dict[str, torch.Tensor] = {}


def load(kind: type, folder: Path):
    return kind.from_pretrained(folder).double().eval()


def base() -> StableDiffusionPipeline:
    """The tiny model of the pipelines, untouched."""
    pipeline = StableDiffusionPipeline(
        unet=load(UNet2DConditionModel, BASE / "unet"),
        vae=load(AutoencoderKL, BASE / "vae"),
        text_encoder=load(CLIPTextModel, BASE / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(BASE / "scheduler"),
        **QUIET,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def spread(*shape: int, by: float = 0.3) -> torch.Tensor:
    return (by * torch.randn(*shape)).half()


def randomise(model: torch.nn.Module, mark: str) -> None:
    """Gives every factor of an adapter numbers that half precision holds."""
    for name, value in model.named_parameters():
        if mark in name and "magnitude" not in name:
            value.data = (value.data * 0 + 0.3 * torch.randn(value.shape)).half().to(value.dtype)
        elif mark in name:
            value.data = (value.data * (0.6 + 0.8 * torch.rand(value.shape))).half().to(value.dtype)


def record(name: str, unet=None, text=None) -> None:
    """What the networks answer."""
    if unet is not None:
        numbers[f"{name}.unet"] = unet(
            numbers["sample"].double(), numbers["timesteps"], numbers["context"].double()
        ).sample
    if text is not None:
        numbers[f"{name}.text"] = text(numbers["tokens"])[0]


def half(tensors: dict) -> dict:
    return {name: value.detach().half().contiguous() for name, value in tensors.items()}


def described(model) -> dict:
    """peft's configuration, with its sets in order."""
    config = model.peft_config["default"].to_dict()
    return config | {"target_modules": sorted(config["target_modules"])}


def diffusers_file(name: str, unet_config: LoraConfig, text_config: LoraConfig | None, metadata: bool):
    """A file that diffusers' training scripts would write."""
    pipeline = base()
    pipeline.unet.add_adapter(unet_config)
    randomise(pipeline.unet, "lora_")
    state = get_peft_model_state_dict(pipeline.unet)
    if metadata:
        # As the scripts for attention alone write it; diffusers itself takes no mixture of both names.
        state = convert_state_dict_to_diffusers(state)
    layers = {"unet_lora_layers": half(state)}
    if metadata:
        layers["unet_lora_adapter_metadata"] = described(pipeline.unet)
    if text_config:
        pipeline.text_encoder.add_adapter(text_config)
        randomise(pipeline.text_encoder, "lora_")
        state = get_peft_model_state_dict(pipeline.text_encoder)
        layers["text_encoder_lora_layers"] = half(convert_state_dict_to_diffusers(state))
        if metadata:
            layers["text_encoder_lora_adapter_metadata"] = described(pipeline.text_encoder)
    StableDiffusionPipeline.save_lora_weights(FOLDER / name, **layers)


def loaded(*adapters: tuple[str, float]) -> StableDiffusionPipeline:
    """The model with adapters, each with its weight, as diffusers loads them."""
    pipeline = base()
    for name, _ in adapters:
        path = FOLDER / name
        path = {"weight_name": path.name, "pretrained_model_name_or_path_or_dict": path.parent} if path.suffix else {
            "pretrained_model_name_or_path_or_dict": path
        }
        pipeline.load_lora_weights(adapter_name=name.replace(".", "_"), **path)
    pipeline.set_adapters([name.replace(".", "_") for name, _ in adapters], [weight for _, weight in adapters])
    for model in (pipeline.unet, pipeline.text_encoder):
        model.double()
    return pipeline


def kohya_layer(state: dict, name: str, weight: torch.Tensor, rank: int, alpha: float) -> None:
    """A pair of factors as sd-scripts names and shapes them."""
    out, into, *kernel = weight.shape
    one = [1, 1] if kernel else []
    state[f"{name}.lora_down.weight"] = spread(rank, into, *kernel)
    state[f"{name}.lora_up.weight"] = spread(out, rank, *one)
    state[f"{name}.alpha"] = torch.tensor(alpha).half()


def flat(path: str) -> str:
    return path.replace(".", "_")


def kohya() -> None:
    """Ranks by layer, alpha that is not the rank, convolutions of 3 × 3 and 1 × 1, the text encoder."""
    pipeline, state = base(), {}
    for path, layer in pipeline.unet.named_modules():
        if path.endswith(("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")):
            kohya_layer(state, f"lora_unet_{flat(path)}", layer.weight, 4, 2.0)
        elif path.endswith(("proj_in", "conv1", "conv_shortcut", "upsamplers.0.conv", "downsamplers.0.conv")):
            kohya_layer(state, f"lora_unet_{flat(path)}", layer.weight, 3, 0.75)
    for path, layer in pipeline.text_encoder.named_modules():
        if path.endswith(tuple(TEXT)):
            path = path if path.startswith("text_model.") else f"text_model.{path}"
            kohya_layer(state, f"lora_te_{flat(path)}", layer.weight, 2, 1.0)
    save_file(state, FOLDER / "kohya.safetensors")


def first_form(source: Path, target: Path) -> None:
    """The same numbers under the keys of diffusers before 0.17: attention processors hold them."""
    state = {}
    for key, value in load_file(source).items():
        if ".to_" not in key and "self_attn" not in key:
            continue
        for old, new in ((".lora_A.", "_lora.down."), (".lora_B.", "_lora.up.")):
            key = key.replace("to_out.0" + old, "to_out" + new).replace(old, new)
        for old, new in (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("out_proj", "to_out")):
            for side in ("down", "up"):
                key = key.replace(f"{old}.lora_linear_layer.{side}", f"{new}_lora.{side}")
        for attention in ("attn1", "attn2"):
            key = key.replace(f".{attention}.to_", f".{attention}.processor.to_")
        state[key] = value
    save_file(state, target)


def lycoris(model, prefix: str, alpha_of) -> dict:
    """peft's factors under LyCORIS's names."""
    state = {}
    for key, value in get_peft_model_state_dict(model).items():
        path, parameter = key.removeprefix("base_model.model.").rsplit(".", 1)
        state[f"{prefix}{flat(path)}.{parameter}"] = value.detach().clone().half()
    for layer in {key.split(".")[0] for key in state}:
        alpha_of(state, layer)
    return {key: value.contiguous() for key, value in state.items()}


def peft_folder(name: str, config, mark: str, target=None):
    model = get_peft_model(target if target is not None else base().unet, config)
    randomise(model, mark)
    model.half().save_pretrained(FOLDER / name)
    # The card that peft writes speaks of nothing here, and its sets have no order.
    (FOLDER / name / "README.md").unlink(missing_ok=True)
    path = FOLDER / name / "adapter_config.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"target_modules": sorted(written["target_modules"])}, indent=2) + "\n")
    return model.double().eval()


def peft_forms() -> None:
    config = LoraConfig(
        r=4,
        lora_alpha=6,
        use_rslora=True,
        target_modules=[*LINEAR, "conv1", "proj_out"],
        rank_pattern={"attn2.to_k": 2, "up_blocks.*.conv1": 3},
        alpha_pattern={"attn1.to_q": 3, "^mid_block.resnets.0.conv1": 9},
    )
    record("peft", unet=peft_folder("peft", config, "lora_"))
    dora = LoraConfig(r=3, lora_alpha=2, use_dora=True, target_modules=[*LINEAR, "conv1", "proj_in"])
    record("peft_dora", unet=peft_folder("peft_dora", dora, "lora_"))
    targets = ["to_q", "to_v", "conv1", "proj_in", "conv_shortcut"]
    loha = LoHaConfig(r=3, alpha=2, target_modules=targets, use_effective_conv2d=True, alpha_pattern={"to_v": 4})
    model = peft_folder("loha", loha, "hada_")
    record("loha", unet=model)

    def loha_alpha(state, layer):
        state[f"{layer}.alpha"] = torch.tensor(4.0 if layer.endswith("to_v") else 2.0)

    save_file(lycoris(model, "lora_unet_", loha_alpha), FOLDER / "loha_lycoris.safetensors")
    flat_loha = LoHaConfig(r=3, alpha=2, target_modules=["conv1", "to_k"])
    record("loha_flat", unet=peft_folder("loha_flat", flat_loha, "hada_"))
    for name, more in (
        ("lokr", {"use_effective_conv2d": True, "decompose_both": True, "decompose_factor": 4}),
        ("lokr_flat", {}),
    ):
        lokr = LoKrConfig(r=2, alpha=3, target_modules=[*targets, "to_out.0"], **more)
        model = peft_folder(name, lokr, "lokr_")
        record(name, unet=model)

        def lokr_alpha(state, layer):
            # LyCORIS takes two whole matrices as they are; a power of two keeps half precision exact.
            whole = f"{layer}.lokr_w1" in state and f"{layer}.lokr_w2" in state
            if whole:
                state[f"{layer}.lokr_w1"] = state[f"{layer}.lokr_w1"].float() * 1.5
            state[f"{layer}.alpha"] = torch.tensor(100.0 if whole else 3.0)

        save_file(lycoris(model, "lora_unet_", lokr_alpha), FOLDER / f"{name}_lycoris.safetensors")


def sgm(path: str, layers_per_block: int) -> str:
    """The name of a layer in the original latent diffusion code, under which sd-scripts trains SDXL."""
    steps, level_size = path.split("."), layers_per_block + 1
    inner = {"conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3"}
    inner["conv_shortcut"] = "skip_connection"
    if steps[0] == "mid_block":
        number = {"resnets": 2 * int(steps[2]), "attentions": 1}[steps[1]]
        rest = ".".join(steps[3:])
        return f"middle_block.{number}.{inner.get(rest, rest)}"
    if steps[0] in ("conv_in", "conv_out"):
        return {"conv_in": "input_blocks.0.0", "conv_out": "out.2"}[steps[0]]
    if steps[0] in ("time_embedding", "add_embedding"):
        number = {"linear_1": 0, "linear_2": 2}[steps[1]]
        return f"time_embed.{number}" if steps[0] == "time_embedding" else f"label_emb.0.{number}"
    level, kind, layer, rest = int(steps[1]), steps[2], int(steps[3]), ".".join(steps[4:])
    rest = inner.get(rest, rest)
    if steps[0] == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * level_size}.0.op"
        return f"input_blocks.{1 + level * level_size + layer}.{0 if kind == 'resnets' else 1}.{rest}"
    block = level * level_size + layer
    if kind == "upsamplers":
        return f"output_blocks.{level * level_size + layers_per_block}.2.conv"
    return f"output_blocks.{block}.{0 if kind == 'resnets' else 1}.{rest}"


def xl() -> None:
    """kohya's form for SDXL: names of the original code, two text encoders."""
    pipeline = StableDiffusionXLPipeline(
        unet=load(UNet2DConditionModel, XL / "unet"),
        vae=load(AutoencoderKL, XL / "vae"),
        text_encoder=load(CLIPTextModel, XL / "text_encoder"),
        text_encoder_2=load(CLIPTextModelWithProjection, XL / "text_encoder_2"),
        tokenizer=CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer"),
        tokenizer_2=CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(BASE / "scheduler"),
        add_watermarker=False,
    )
    state = {}
    ends = (*LINEAR, "conv1", "conv2", "conv_shortcut", "time_emb_proj", "proj_in", "ff.net.0.proj")
    ends += ("samplers.0.conv", "conv_in", "conv_out")
    for path, layer in pipeline.unet.named_modules():
        if path.endswith(ends):
            name = f"lora_unet_{flat(sgm(path, pipeline.unet.config.layers_per_block))}"
            kohya_layer(state, name, layer.weight, 2, 1.0)
    for prefix, model in (("lora_te1_", pipeline.text_encoder), ("lora_te2_", pipeline.text_encoder_2)):
        for path, layer in model.named_modules():
            if path.endswith(tuple(TEXT)):
                path = path if path.startswith("text_model.") else f"text_model.{path}"
                kohya_layer(state, prefix + flat(path), layer.weight, 2, 1.0)
    save_file(state, FOLDER / "kohya_xl.safetensors")
    pipeline.load_lora_weights(FOLDER, weight_name="kohya_xl.safetensors", adapter_name="xl")
    pipeline.set_adapters(["xl"], [0.8])
    for model in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2):
        model.double()
    tokens = numbers["tokens"]
    numbers["xl.text"] = pipeline.text_encoder(tokens)[0]
    numbers["xl.text_2"] = pipeline.text_encoder_2(tokens, output_hidden_states=True).hidden_states[-2]
    numbers["xl.context"] = torch.randn(2, 5, 40)
    numbers["xl.text_embeds"] = torch.randn(2, 20)
    numbers["xl.time_ids"] = torch.tensor([[32, 32, 0, 0, 32, 32]] * 2)
    numbers["xl.unet"] = pipeline.unet(
        numbers["sample"].double(),
        numbers["timesteps"],
        numbers["xl.context"].double(),
        added_cond_kwargs={
            "text_embeds": numbers["xl.text_embeds"].double(),
            "time_ids": numbers["xl.time_ids"].double(),
        },
    ).sample
    # What a layer adds, on inputs of one: every layer by itself, wherever it stands.
    parts = {"unet": pipeline.unet, "text_encoder": pipeline.text_encoder}
    for part, model in (parts | {"text_encoder_2": pipeline.text_encoder_2}).items():
        for path, layer in model.named_modules():
            if isinstance(layer, BaseTunerLayer):
                delta = layer.get_delta_weight("xl").flatten(1)
                numbers[f"xl.layer.{part}.{path.removeprefix('text_model.')}"] = delta.sum(1)


def inversions() -> None:
    """Textual inversion: one vector, several, A1111's file, SDXL's."""
    pipeline = base()
    one, many = spread(WIDTH), spread(3, WIDTH)
    save_file({"<opacity>": one}, FOLDER / "learned_embeds.safetensors")
    save_file({"emb_params": many}, FOLDER / "haze.safetensors")
    save_file({"clip_l": spread(2, 16), "clip_g": spread(2, 24)}, FOLDER / "inversion_xl.safetensors")
    pipeline.load_textual_inversion(FOLDER, weight_name="learned_embeds.safetensors")
    pipeline.load_textual_inversion(FOLDER, weight_name="haze.safetensors", token="haze")
    prompt = "chest radiograph, haze over <opacity>, child"
    prompt = pipeline.maybe_convert_prompt(prompt, pipeline.tokenizer)
    tokens = pipeline.tokenizer(prompt, padding="max_length", max_length=TOKENS, return_tensors="pt").input_ids
    numbers["inversion.tokens"] = tokens
    numbers["inversion.first"] = torch.tensor([pipeline.tokenizer.convert_tokens_to_ids("<opacity>")])
    numbers["inversion.text"] = pipeline.text_encoder.double()(tokens)[0]


def make(_engine: Path) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    numbers.clear()
    vocabulary = CLIPTextModel.from_pretrained(BASE / "text_encoder").config.vocab_size
    numbers["sample"] = torch.randn(2, 4, 8, 12)
    numbers["timesteps"] = torch.tensor([999, 3])
    numbers["context"] = torch.randn(2, 5, WIDTH)
    numbers["tokens"] = torch.randint(0, vocabulary, (2, TOKENS))
    diffusers_file(
        "diffusers",
        LoraConfig(r=4, lora_alpha=4, target_modules=[*LINEAR, "conv1", "proj_in"]),
        LoraConfig(r=2, lora_alpha=2, target_modules=["q_proj", "k_proj", "v_proj", "out_proj"]),
        metadata=False,
    )
    diffusers_file(
        "diffusers_metadata",
        LoraConfig(r=4, lora_alpha=2, target_modules=LINEAR, rank_pattern={"to_k": 2}, alpha_pattern={"to_v": 3}),
        None,
        metadata=True,
    )
    diffusers_file(
        "diffusers_dora",
        LoraConfig(r=3, lora_alpha=3, use_dora=True, target_modules=[*LINEAR, "conv2", "proj_in"]),
        None,
        metadata=False,
    )
    first_form(FOLDER / "diffusers" / "pytorch_lora_weights.safetensors", FOLDER / "first_form.safetensors")
    kohya()
    for name in ("diffusers", "diffusers_metadata", "diffusers_dora", "first_form.safetensors", "kohya.safetensors"):
        pipeline = loaded((name, 0.7))
        record(name.split(".")[0], unet=pipeline.unet, text=pipeline.text_encoder)
    both = loaded(("diffusers", 0.8), ("kohya.safetensors", 0.5))
    record("both", unet=both.unet, text=both.text_encoder)
    with noise_of(7):
        clean = both(
            prompt=PROMPT,
            negative_prompt=NEGATIVE,
            num_inference_steps=STEPS,
            guidance_scale=4.0,
            height=SIDE,
            width=SIDE,
            output_type="latent",
        ).images
    image = (both.vae.decode(clean / both.vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)
    share = ((image == 0) | (image == 1)).double().mean().item()
    print("two adapters: saturated", round(share, 3))
    assert share < 0.6, "an image that says little"
    numbers["both.image"] = image
    record("base", unet=base().unet, text=base().text_encoder)
    peft_forms()
    xl()
    inversions()
    write(FOLDER / "expected.safetensors", numbers)
