"""Samplings by any scheduler under any of its options."""

import importlib
import json
import math
from pathlib import Path

import diffusers
import torch

from makers.common import exact_roots

from .common import Case, Draw, Skipped, write

LATENT = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
KINDS = (
    "DDIM", "DDPM", "PNDM", "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "DPMSolverMultistep",
    "UniPCMultistep", "LCM", "FlowMatchEulerDiscrete",
)
SPACING = ["leading", "trailing", "linspace"]


def betas(draw: Draw) -> dict:
    if draw.maybe(0.6):
        return dict(LATENT)
    if draw.maybe(0.15):
        # Hardly anybody has these, and every scheduler takes them.
        return {"trained_betas": [0.001 + 0.00002 * index for index in range(1000)]}
    schedule = draw.choice(["linear", "scaled_linear", "squaredcos_cap_v2"])
    ends = draw.choice([(0.0001, 0.02), (0.00085, 0.012), (0.0015, 0.0195)])
    return {"beta_schedule": schedule, "beta_start": ends[0], "beta_end": ends[1]}


def otherwise(draw: Draw) -> dict:
    """The noise spaced otherwise than the timesteps, or not."""
    name = draw.choice(["none", "none", "karras", "exponential", "beta"])
    return {} if name == "none" else {f"use_{name}_sigmas": True}


def thresholds(draw: Draw) -> dict:
    if not draw.maybe(0.15):
        return {}
    return {
        "thresholding": True,
        "dynamic_thresholding_ratio": draw.choice([0.995, 0.9, 0.5]),
        "sample_max_value": draw.choice([1.0, 1.5, 5.0]),
    }


def options(draw: Draw, name: str) -> dict:
    """Valid settings of a scheduler."""
    prediction = draw.choice(["epsilon", "v_prediction", "sample"])
    if name in ("PNDM", "EulerAncestralDiscrete") and prediction == "sample":
        prediction = "epsilon"
    settings = {"prediction_type": prediction} | draw.sometimes(0.8, timestep_spacing=SPACING)
    settings |= betas(draw) | draw.sometimes(0.3, steps_offset=[0, 1])
    if "trained_betas" not in settings:
        settings |= draw.sometimes(0.1, num_train_timesteps=[500, 2000])
    zero = {"rescale_betas_zero_snr": True} if draw.maybe(0.25) else {}
    clips = draw.sometimes(0.5, clip_sample=[True, False], clip_sample_range=[1.0, 2.5])
    ends = draw.sometimes(0.4, final_sigmas_type=["zero", "sigma_min"])
    flow = draw.maybe(0.15)
    match name:
        case "DDIM":
            return settings | zero | clips | thresholds(draw) | draw.sometimes(0.5, set_alpha_to_one=[True, False])
        case "DDPM":
            kinds = ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"]
            if draw.maybe(0.1):
                settings |= {"beta_schedule": "sigmoid"}
                settings.pop("trained_betas", None)
            return settings | zero | clips | thresholds(draw) | draw.sometimes(0.6, variance_type=kinds)
        case "PNDM":
            return settings | draw.sometimes(0.7, skip_prk_steps=[True, False], set_alpha_to_one=[True, False])
        case "EulerDiscrete":
            settings |= zero | otherwise(draw) | ends
            settings |= draw.sometimes(0.15, sigma_min=[0.03, 0.1], sigma_max=[10.0, 20.0])
            settings |= draw.sometimes(0.2, interpolation_type=["linear", "log_linear"])
            return settings | draw.sometimes(0.15, timestep_type=["discrete", "continuous"])
        case "EulerAncestralDiscrete":
            return settings | zero
        case "HeunDiscrete":
            return settings | otherwise(draw) | clips
        case "DPMSolverMultistep":
            settings |= zero | ends | thresholds(draw)
            settings |= draw.sometimes(
                0.5,
                solver_order=[1, 2, 3],
                algorithm_type=["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"],
                solver_type=["midpoint", "heun"],
                lower_order_final=[True, False],
            )
            settings |= draw.sometimes(0.2, euler_at_final=[True, False])
            settings |= draw.sometimes(0.2, lambda_min_clipped=[-5.1, -3.0])
            if flow:
                return settings | {
                    "use_flow_sigmas": True, "flow_shift": draw.choice([1.0, 3.0]), "prediction_type": "flow_prediction",
                }
            return settings | ({"use_lu_lambdas": True} if draw.maybe(0.2) else otherwise(draw))
        case "UniPCMultistep":
            settings |= zero | ends | thresholds(draw)
            settings |= draw.sometimes(
                0.5, solver_order=[1, 2, 3, 4], solver_type=["bh1", "bh2"], lower_order_final=[True, False],
                predict_x0=[True, False],
            )
            settings |= draw.sometimes(0.2, disable_corrector=[[0], [1, 2], [0, 1, 2, 3]])
            if flow:
                return settings | {
                    "use_flow_sigmas": True, "flow_shift": draw.choice([1.0, 3.0]), "prediction_type": "flow_prediction",
                    **draw.sometimes(0.3, shift_terminal=[0.1]),
                }
            return settings | otherwise(draw) | draw.sometimes(0.15, sigma_min=[0.03, 0.1], sigma_max=[10.0, 20.0])
        case "LCM":
            settings |= zero | clips | thresholds(draw)
            return settings | draw.sometimes(
                0.3, original_inference_steps=[50, 100], timestep_scaling=[5.0, 10.0], set_alpha_to_one=[True, False]
            )
        case _:
            settings = draw.sometimes(0.5, shift=[1.0, 3.0, 0.5], stochastic_sampling=[True, False])
            settings |= draw.sometimes(0.2, num_train_timesteps=[500, 1000], shift_terminal=[0.1, 0.02])
            settings |= draw.sometimes(0.15, invert_sigmas=[True])
            return settings | otherwise(draw)


def begin(draw: Draw, scheduler, steps: int) -> None:
    more = {}
    if scheduler.config.get("use_dynamic_shifting"):
        more["mu"] = 0.8
    scheduler.set_timesteps(steps, **more)


def sampled(scheduler, noise: torch.Tensor, outputs: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The sample after every step, and what was drawn on the way."""
    draws = []

    def drawn(shape, generator=None, device=None, dtype=None, layout=None):
        draws.append(torch.randn(*shape))
        return draws[-1]

    module = importlib.import_module(type(scheduler).__module__)
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = drawn
    sample, trajectory = noise, []
    for timestep, output in zip(scheduler.timesteps, outputs):
        if hasattr(scheduler, "scale_model_input"):
            scheduler.scale_model_input(sample, timestep)
        sample = scheduler.step(output, timestep, sample, return_dict=False)[0]
        trajectory.append(sample)
    return torch.stack(trajectory), draws


@exact_roots()
def case(draw: Draw, folder: Path) -> Case:
    name = draw.choice(KINDS)
    settings = options(draw, name)
    steps = draw.choice([20, 20, 20, 1, 2, 3, 5, 10, 25, 30, 50, 100])
    words = {"scheduler": name, "steps": steps, **settings}
    if isinstance(words.get("trained_betas"), list):
        words["trained_betas"] = "…"
    kind = getattr(diffusers, f"{name}Scheduler")
    if draw.maybe(0.3):
        settings.pop("timestep_spacing", None)
    try:
        scheduler = kind(**settings)
        scheduler.set_timesteps(steps)
        shape = (draw.choice([1, 2]), 4, draw.choice([4, 7]), draw.choice([4, 5]))
        spread = float(getattr(scheduler, "init_noise_sigma", 1.0))
        noise = torch.randn(shape)
        outputs = torch.randn(len(scheduler.timesteps), *shape)
        trajectory, draws = sampled(scheduler, noise * spread, outputs)
    except (
        ValueError, NotImplementedError, IndexError, AssertionError, TypeError, AttributeError, RuntimeError, NameError,
    ) as cause:
        raise Skipped(f"{name}: {cause}") from cause
    if not torch.isfinite(trajectory).all() or not math.isfinite(spread):
        raise Skipped(f"{name}: no numbers")
    tensors = {
        "scheduler/in/noise": noise * spread if draw.maybe(0.5) else noise,
        "scheduler/in/model_outputs": outputs,
        "scheduler/out/trajectory": trajectory,
    } | {f"scheduler/in/noise_{index}": one for index, one in enumerate(draws)}
    metadata = {} if draw.maybe(0.3) else {"steps": steps}
    saved = True
    match draw.choice(["bundle", "dict", "json"]):
        case "dict":
            # It is without the class: the bundle has a scheduler of the class then.
            metadata["scheduler"] = json.dumps(dict(scheduler.config))
        case "json":
            metadata["scheduler"] = scheduler.to_json_string()
            saved = draw.maybe(0.5)
    folder.mkdir(parents=True)
    if saved:
        scheduler.save_pretrained(folder / "scheduler")
    write(folder / "reference.safetensors", tensors, metadata)
    return Case(folder, folder / "reference.safetensors", 1e-5, words)
