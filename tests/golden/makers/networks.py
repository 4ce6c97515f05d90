"""Networks in forms that the pipelines' models have not: options of the UNet, T2I-Adapters, tiles, ControlNets of XL."""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, T2IAdapter, UNet2DConditionModel

from .common import HERE, shake, write

FOLDER = HERE / "networks"
WIDTH = 12

BASE = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 1,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}
LARGE = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 10 + 6 * 4,
}
THREE = {
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}
UNETS = {
    "plain": {},
    "layers": {"layers_per_block": (2, 1)},
    "large": {**THREE, **LARGE, "transformer_layers_per_block": (1, 2, 3), "use_linear_projection": True},
    "heads": {"attention_head_dim": (1, 4), "norm_eps": 1e-3, "flip_sin_to_cos": False, "freq_shift": 1},
    "bottomless": {"mid_block_type": None},
    "guided": {"time_cond_proj_dim": 6},
    "lopsided": {
        **THREE,
        "transformer_layers_per_block": (1, 2, 1),
        "reverse_transformer_layers_per_block": (2, 1, 1),
    },
    "nine": {"in_channels": 9, "sample_size": None},
}

# What derivatives of Stable Diffusion ask for: its upscaler, unCLIP, distilled networks, and what is left.
DERIVED = {
    "enlarging": {"in_channels": 7, "num_class_embeds": 10, "only_cross_attention": (True, False)},
    "classes": {
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": 6,
        "resnet_time_scale_shift": "scale_shift",
    },
    "timed": {"class_embed_type": "timestep", "mid_block_type": "UNetMidBlock2D"},
    "distilled": {
        **THREE,
        "layers_per_block": 2,
        "transformer_layers_per_block": (1, (2, 1), (1, 1)),
        "reverse_transformer_layers_per_block": ((1, 2, 1), (1, 1, 2), 1),
    },
    "kernels": {
        "attention_head_dim": 3,
        "center_input_sample": True,
        "conv_in_kernel": 1,
        "conv_out_kernel": 5,
        "encoder_hid_dim": WIDTH,
        "cross_attention_dim": 10,
        "time_embedding_dim": 24,
    },
}


def keep(place: str, model: torch.nn.Module) -> torch.nn.Module:
    """Shakes the weights, writes them in half precision, and computes on in double."""
    shake(model)
    model.half().save_pretrained(FOLDER / place)
    return model.double().eval()


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).float().double()


def question(config, batch: int, height: int, width: int) -> dict:
    asked = {
        "sample": numbers(batch, config.in_channels, height, width),
        "timestep": torch.tensor([17.0, 801.0][:batch], dtype=torch.float64),
        "encoder_hidden_states": numbers(batch, 5, WIDTH),
    }
    if config.addition_embed_type:
        sizes = torch.tensor([[64.0, 48, 0, 3, 64, 48]] * batch, dtype=torch.float64)
        asked["added_cond_kwargs"] = {"text_embeds": numbers(batch, 10), "time_ids": sizes}
    return asked


def flat(place: str, asked: dict) -> dict:
    added = asked.get("added_cond_kwargs", {})
    plain = {name: value for name, value in asked.items() if name != "added_cond_kwargs"}
    return {f"{place}.{name}": value for name, value in (plain | added).items()}


def answers(name: str, network: UNet2DConditionModel) -> dict:
    """Two questions and what the network answers; odd sides are rounded up on the way down."""
    kept = {}
    for batch, height, width in ((2, 8, 8), (1, 9, 14)):
        if len(network.config.block_out_channels) == 3 and batch == 1:
            height, width = 12, 20
        place = f"{name}.{batch}"
        asked = question(network.config, batch, height, width)
        if network.config.time_cond_proj_dim:
            asked["timestep_cond"] = numbers(batch, network.config.time_cond_proj_dim)
        match network.config.class_embed_type:
            case "projection":
                asked["class_labels"] = numbers(batch, network.config.projection_class_embeddings_input_dim)
            case "timestep":
                asked["class_labels"] = torch.tensor([3.0, 250.0][:batch], dtype=torch.float64)
        if network.config.num_class_embeds:
            asked["class_labels"] = torch.tensor([7, 0][:batch])
        kept |= flat(place, asked)
        kept[f"{place}.out"] = network(**asked).sample
    return kept


def make(_engine: Path) -> None:
    torch.manual_seed(20261125)
    shutil.rmtree(FOLDER, ignore_errors=True)
    kept, unets = {}, {}
    for name, change in UNETS.items():
        network = unets[name] = keep(f"{name}/unet", UNet2DConditionModel(**(BASE | change)))
        kept |= answers(name, network)
    for name in ("plain", "large"):
        net = ControlNetModel.from_unet(unets[name], conditioning_embedding_out_channels=(4, 6, 8, 8))
        net = keep(f"{name}/controlnet", net)
        asked = question(net.config, 2, 8, 8)
        condition = torch.rand(2, 3, 64, 64).double()
        down, mid = net(**asked, controlnet_cond=condition, return_dict=False)
        place = f"{name}.controlnet"
        kept |= flat(place, asked) | {f"{place}.condition": condition, f"{place}.mid": mid}
        kept |= {f"{place}.down_{level}": one for level, one in enumerate(down)}
    adapters = {
        "plain": {"channels": [8, 16], "adapter_type": "full_adapter"},
        "layers": {"channels": [8, 16], "adapter_type": "full_adapter", "in_channels": 1},
        "large": {"channels": [8, 8, 16, 16], "adapter_type": "full_adapter_xl"},
        "heads": {"channels": [8], "adapter_type": "light_adapter"},
    }
    for name, change in adapters.items():
        adapter = keep(f"{name}/adapter", T2IAdapter(num_res_blocks=2, downscale_factor=4, **change))
        asked = question(unets[name].config, 1, 8, 8)
        side = 4 * 8
        condition = torch.rand(1, change.get("in_channels", 3), side, side).double()
        features = adapter(condition)
        place = f"{name}.adapter"
        kept |= flat(place, asked) | {f"{place}.condition": condition}
        kept |= {f"{place}.feature_{level}": one for level, one in enumerate(features)}
        if name in ("plain", "layers"):
            given = [one.clone() for one in features]
            kept[f"{place}.out"] = unets[name](**asked, down_intrablock_additional_residuals=given).sample
    for name, change in {"tiles": {}, "bare": {"use_quant_conv": False, "use_post_quant_conv": False}}.items():
        coder = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(4, 8),
            norm_num_groups=4,
            sample_size=16,
            **change,
        )
        coder = keep(f"{name}/vae", coder)
        coder.enable_tiling()
        image, latent = numbers(1, 3, 40, 28), numbers(1, 4, 20, 14)
        kept |= {
            f"{name}.image": image,
            f"{name}.mean": coder.encode(image).latent_dist.mean,
            f"{name}.latent": latent,
            f"{name}.decoded": coder.decode(latent).sample,
        }
    # Behind the rest, whose draws stay what they were.
    for name, change in DERIVED.items():
        kept |= answers(name, keep(f"{name}/unet", UNet2DConditionModel(**(BASE | change))))
    write(FOLDER / "expected.safetensors", kept)
