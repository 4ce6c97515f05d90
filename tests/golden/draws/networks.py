"""UNets, ControlNets, autoencoders and text encoders of any configuration."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from .common import Case, Draw, Skipped, weights, write

DOWN = {True: "CrossAttnDownBlock2D", False: "DownBlock2D"}
UP = {True: "CrossAttnUpBlock2D", False: "UpBlock2D"}


def shape_of(draw: Draw) -> dict:
    """What the UNet and the ControlNet have in common."""
    levels = draw.choice([1, 2, 2, 3, 3, 4])
    groups = draw.choice([1, 2, 4, 8])
    channels = tuple(groups * draw.choice([1, 2, 3, 4]) * (8 // groups) for _ in range(levels))
    attends = [draw.maybe(0.6) for _ in range(levels)]
    each = {}
    if draw.maybe(0.5):
        each["attention_head_dim"] = draw.choice([1, 2, 4, 8])
    elif draw.maybe(0.8):
        each["attention_head_dim"] = tuple(draw.choice([1, 2, 4]) for _ in range(levels))
    if draw.maybe(0.4):
        each["layers_per_block"] = draw.choice([1, 2, 3])
    elif draw.maybe(0.5):
        each["layers_per_block"] = tuple(draw.choice([1, 2]) for _ in range(levels))
    if draw.maybe(0.3):
        each["transformer_layers_per_block"] = draw.choice([1, 2])
    elif draw.maybe(0.4):
        each["transformer_layers_per_block"] = tuple(draw.choice([1, 2, 3]) for _ in range(levels))
    context = draw.choice([8, 12, 32])
    settings = {
        "in_channels": draw.choice([4, 4, 5, 7, 9, 3]),
        "block_out_channels": channels,
        "down_block_types": tuple(DOWN[one] for one in attends),
        "norm_num_groups": groups,
        "cross_attention_dim": (context,) * levels if draw.maybe(0.1) else context,
        **each,
        **draw.sometimes(
            0.3,
            use_linear_projection=[True],
            norm_eps=[1e-6, 1e-4],
            flip_sin_to_cos=[False],
            freq_shift=[1],
            upcast_attention=[True],
            resnet_time_scale_shift=["scale_shift", "default"],
            act_fn=["swish", "silu"],
        ),
        **draw.sometimes(0.07, act_fn=["gelu", "mish", "relu"], downsample_padding=[0], mid_block_scale_factor=[2.0]),
    }
    if draw.maybe(0.3):
        settings["only_cross_attention"] = tuple(draw.maybe(0.5) for _ in range(levels))
    if draw.maybe(0.1):
        settings["only_cross_attention"] = True
    if draw.maybe(0.25):
        pooled, each = draw.choice([5, 16]), draw.choice([2, 6, 8])
        settings |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": each,
            "projection_class_embeddings_input_dim": pooled + draw.choice([5, 6]) * each,
        }
    elif draw.maybe(0.3):
        kind = draw.choice(["timestep", "identity", "projection", "simple_projection", "count"])
        if kind == "count":
            settings["num_class_embeds"] = 20
        else:
            settings["class_embed_type"] = kind
            settings["projection_class_embeddings_input_dim"] = 10
            if kind == "simple_projection":
                settings.pop("resnet_time_scale_shift", None)
    return settings


def unet_settings(draw: Draw) -> dict:
    settings = shape_of(draw)
    levels = len(settings["block_out_channels"])
    ups = [UP[name.startswith("Cross")] for name in reversed(settings["down_block_types"])]
    if draw.maybe(0.2):
        # The way up need not be the mirror of the way down.
        ups = [UP[draw.maybe(0.5)] for _ in range(levels)]
    settings["up_block_types"] = tuple(ups)
    settings |= draw.sometimes(0.5, out_channels=[4, 8, 1])
    settings |= draw.sometimes(0.15, mid_block_type=[None, "UNetMidBlock2D"], time_cond_proj_dim=[6, 32])
    settings |= draw.sometimes(
        0.1,
        conv_in_kernel=[1, 5],
        conv_out_kernel=[1, 5],
        center_input_sample=[True],
        dual_cross_attention=[True],
        mid_block_only_cross_attention=[True],
        time_embedding_type=["fourier", "positional"],
        time_embedding_dim=[64],
        timestep_post_act=["silu"],
        time_embedding_act_fn=["silu"],
        resnet_skip_time_act=[True],
        resnet_out_scale_factor=[1.5],
        class_embeddings_concat=[True],
        encoder_hid_dim=[16],
        dropout=[0.1],
    )
    if draw.maybe(0.15):
        layers = settings.get("layers_per_block", 2)
        each = [layers] * levels if isinstance(layers, int) else list(layers)
        if draw.maybe(0.5):
            settings["transformer_layers_per_block"] = tuple(
                [draw.choice([1, 2]) for _ in range(count)] for count in each
            )
            settings["reverse_transformer_layers_per_block"] = tuple(
                [draw.choice([1, 2]) for _ in range(count + 1)] for count in reversed(each)
            )
            # diffusers takes the last entry for its middle, where it must be a number of layers for each.
            settings["transformer_layers_per_block"][-1][:] = settings["transformer_layers_per_block"][-1][:1] * each[-1]
        else:
            settings["transformer_layers_per_block"] = tuple(draw.choice([1, 2]) for _ in range(levels))
            settings["reverse_transformer_layers_per_block"] = tuple(draw.choice([1, 2]) for _ in range(levels))
    return settings


def asked(draw: Draw, config) -> dict:
    """The inputs of a UNet or a ControlNet."""
    batch = draw.choice([1, 1, 2, 3])
    levels = len(config.block_out_channels)
    context = config.cross_attention_dim
    context = context if isinstance(context, int) else context[0]
    if config.encoder_hid_dim is not None:
        context = config.encoder_hid_dim
    side = 2 ** (levels - 1)
    height, width = draw.choice([(8, 8), (2 * side, side), (9, 13), (7, 16), (16, 16), (17, 5)])
    height, width = max(height, side), max(width, side)
    if draw.maybe(0.5):
        timestep = torch.tensor(draw.choice([0, 1, 500, 981, 999]))
        timestep = draw.choice([timestep, timestep[None].expand(batch), timestep.float(), timestep + 0.53125])
    else:
        timestep = torch.tensor([draw.randrange(1000) for _ in range(batch)])
    given = {
        "sample": torch.randn(batch, config.in_channels, height, width),
        "timestep": timestep,
        "encoder_hidden_states": torch.randn(batch, draw.choice([1, 8, 77, 154, 231]), context),
    }
    if config.addition_embed_type == "text_time":
        wide = config.projection_class_embeddings_input_dim
        each = config.addition_time_embed_dim
        sizes = 6 if wide - 6 * each in (5, 16) else 5
        given["text_embeds"] = torch.randn(batch, wide - sizes * each)
        ids = [draw.choice([0, 32, 512, 1024, 6.0]) for _ in range(sizes)]
        given["time_ids"] = torch.tensor([ids] * batch, dtype=torch.float32)
    kind, count = config.class_embed_type, config.num_class_embeds
    if kind is None and count is not None:
        given["class_labels"] = torch.tensor([draw.randrange(count) for _ in range(batch)])
    elif kind == "timestep":
        given["class_labels"] = torch.tensor([draw.randrange(1000) for _ in range(batch)])
    elif kind == "identity":
        given["class_labels"] = torch.randn(batch, 4 * config.block_out_channels[0])
    elif kind is not None:
        given["class_labels"] = torch.randn(batch, config.projection_class_embeddings_input_dim)
    return given


def call(given: dict) -> dict:
    """The inputs as diffusers takes them."""
    words = {name: given[name] for name in ("text_embeds", "time_ids") if name in given}
    plain = {name: value for name, value in given.items() if name not in words}
    return plain | ({"added_cond_kwargs": words} if words else {})


def unet(draw: Draw, folder: Path) -> tuple[dict, dict]:
    settings = unet_settings(draw)
    model = weights(draw, UNet2DConditionModel(**settings), folder / "unet")
    given = asked(draw, model.config)
    more = {}
    if model.config.time_cond_proj_dim and draw.maybe(0.5):
        given["timestep_cond"] = torch.randn(len(given["sample"]), model.config.time_cond_proj_dim)
    if draw.maybe(0.25) and model.config.mid_block_type is not None:
        shapes = []
        hooks = [
            block.register_forward_hook(lambda _m, _i, output: shapes.extend(one.shape for one in output[1]))
            for block in model.down_blocks
        ]
        hooks.append(model.mid_block.register_forward_hook(lambda _m, _i, output: shapes.append(output.shape)))
        model.conv_in.register_forward_hook(lambda _m, _i, output: shapes.insert(0, output.shape))
        model(**call(given))
        for hook in hooks:
            hook.remove()
        model.conv_in._forward_hooks.clear()
        residuals = [torch.randn(shape) for shape in shapes]
        more = {
            "down_block_additional_residuals": tuple(residuals[:-1]), "mid_block_additional_residual": residuals[-1],
        }
        given_more = {f"down_{index}": value for index, value in enumerate(residuals[:-1])} | {"mid": residuals[-1]}
    else:
        given_more = {}
    out = model(**call(given), **more).sample
    tensors = {f"unet/in/{name}": value for name, value in (given | given_more).items()}
    return settings, tensors | {"unet/out/sample": out}


def controlnet(draw: Draw, folder: Path) -> tuple[dict, dict]:
    settings = shape_of(draw)
    settings.pop("mid_block_scale_factor", None)
    layers = settings.get("layers_per_block", 2)
    settings["layers_per_block"] = layers if isinstance(layers, int) else layers[0]
    stages = draw.choice([1, 2, 3, 4])
    settings |= {"conditioning_embedding_out_channels": tuple(draw.choice([4, 6, 8]) for _ in range(stages))}
    settings |= draw.sometimes(
        0.3, controlnet_conditioning_channel_order=["bgr", "rgb"], global_pool_conditions=[True],
        conditioning_channels=[3, 1, 6], num_attention_heads=[2, 4],
    )
    settings |= draw.sometimes(0.1, mid_block_type=["UNetMidBlock2D"])
    model = weights(draw, ControlNetModel(**settings), folder / "controlnet")
    given = asked(draw, model.config)
    factor = 2 ** (stages - 1)
    batch, _, height, width = given["sample"].shape
    given["controlnet_cond"] = torch.rand(batch, model.config.conditioning_channels, factor * height, factor * width)
    down, mid = model(**call(given), return_dict=False)
    if model.config.global_pool_conditions and draw.maybe(0.5):
        # As the pipelines have it: they average, not the network.
        pass
    tensors = {f"controlnet/in/{name}": value for name, value in given.items()}
    tensors |= {f"controlnet/out/down_{index}": value for index, value in enumerate(down)}
    return settings, tensors | {"controlnet/out/mid": mid}


def vae(draw: Draw, folder: Path) -> tuple[dict, dict]:
    levels, groups = draw.choice([1, 2, 3, 4]), draw.choice([1, 2, 4])
    channels = tuple(groups * draw.choice([1, 2, 3, 4]) for _ in range(levels))
    colours = draw.choice([1, 3, 3])
    settings = {
        "in_channels": colours,
        "out_channels": draw.choice([colours, 3]),
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": channels,
        "layers_per_block": draw.choice([1, 2, 3]),
        "latent_channels": draw.choice([1, 3, 4, 16]),
        "norm_num_groups": groups,
        **draw.sometimes(
            0.3, sample_size=[32, 20, 512], scaling_factor=[0.13025, 1.0], shift_factor=[0.1], force_upcast=[False],
            use_quant_conv=[False], use_post_quant_conv=[False], mid_block_add_attention=[False],
            latents_mean=[[0.5]], latents_std=[[1.5]], act_fn=["silu", "swish"],
        ),
        **draw.sometimes(0.05, act_fn=["gelu"]),
    }
    for name in ("latents_mean", "latents_std"):
        if name in settings:
            settings[name] = settings[name] * settings["latent_channels"]
    if draw.maybe(0.06):
        settings["down_block_types"] = ("AttnDownEncoderBlock2D",) * levels
    model = weights(draw, AutoencoderKL(**settings), folder / "vae")
    batch, unit = draw.choice([1, 1, 2]), 2 ** (levels - 1)
    height, width = draw.choice([(3, 5), (8, 8), (7, 9), (16, 4)])
    latent = torch.randn(batch, model.config.latent_channels, height, width)
    if draw.maybe(0.3):
        high, wide = draw.choice([(56, 72), (57, 70), (33, 47)])
    else:
        high, wide = unit * height, unit * width
    image = torch.rand(batch, colours, high, wide) * 2 - 1
    tensors = {}
    if draw.maybe(0.8):
        tensors |= {"vae/in/latent": latent, "vae/out/image": model.decode(latent).sample}
    if draw.maybe(0.8) or not tensors:
        tensors |= {"vae/in/image": image, "vae/out/mean": model.encode(image).latent_dist.mean}
    return settings, tensors


def text(draw: Draw, folder: Path, part: str = "text") -> tuple[dict, dict]:
    heads, vocabulary, window = draw.choice([1, 2, 4]), draw.choice([30, 1000]), draw.choice([8, 20, 77])
    settings = {
        "vocab_size": vocabulary,
        "hidden_size": heads * draw.choice([4, 8, 10]),
        "intermediate_size": draw.choice([16, 37]),
        "num_hidden_layers": draw.choice([1, 2, 5]),
        "num_attention_heads": heads,
        "max_position_embeddings": window,
        "hidden_act": draw.choice(["quick_gelu", "gelu"]),
        **draw.sometimes(0.7, bos_token_id=[0], eos_token_id=[2, vocabulary - 1, 5], pad_token_id=[1]),
        **draw.sometimes(0.3, layer_norm_eps=[1e-6], projection_dim=[12, 64]),
        **draw.sometimes(0.05, hidden_act=["gelu_new", "relu"]),
    }
    projects = draw.maybe(0.4)
    kind = CLIPTextModelWithProjection if projects else CLIPTextModel
    model = weights(draw, kind(CLIPTextConfig(**settings)), folder / f"text_encoder{part.removeprefix('text')}")
    batch, length = draw.choice([1, 2, 3]), draw.choice([window, window, max(window // 2, 2), 2])
    ids = torch.randint(vocabulary, (batch, length))
    if draw.maybe(0.8):
        # As a tokenizer has it: the end, and what pads.
        end = model.config.eos_token_id if model.config.eos_token_id not in (None, 2) else vocabulary - 1
        for row in ids:
            row[draw.randrange(length) :] = min(end, vocabulary - 1)
    said = model(ids, output_hidden_states=True)
    pooled = said.text_embeds if projects else said.pooler_output
    tensors = {f"{part}/in/input_ids": ids, f"{part}/out/last_hidden_state": said.last_hidden_state}
    if draw.maybe(0.9):
        tensors[f"{part}/out/pooled"] = pooled
    settings["class"] = kind.__name__
    return settings, tensors


KINDS = {"unet": unet, "controlnet": controlnet, "vae": vae, "text": text}


def case(draw: Draw, folder: Path) -> Case:
    name = draw.choice(["unet", "unet", "unet", "controlnet", "vae", "text"])
    folder.mkdir(parents=True)
    try:
        settings, tensors = KINDS[name](draw, folder)
    except (ValueError, NotImplementedError, IndexError, AssertionError, TypeError, AttributeError, RuntimeError) as cause:
        raise Skipped(f"{name}: {str(cause).splitlines()[0]}") from cause
    if not all(torch.isfinite(value).all() for value in tensors.values()):
        raise Skipped(f"{name}: no numbers")
    write(folder / "reference.safetensors", tensors)
    return Case(folder, folder / "reference.safetensors", 1e-4, {"network": name, **settings})
