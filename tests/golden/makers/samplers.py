"""Whole samplings by every scheduler: predictions and draws of noise go in, the trajectory comes out.

diffusers runs in single precision here, as it does in use: the engine must follow its tables.
"""

import importlib
import json
import shutil
import tempfile
from pathlib import Path

import diffusers
import torch

from .common import HERE, exact_roots, write
from .schedulers import LATENT

STEPS = (1, 7, 20)


def spread(name: str, *changes: dict) -> list[tuple[str, dict]]:
    return [(name, dict(change)) for change in changes]


SPACINGS = [{"timestep_spacing": spacing} for spacing in ("leading", "trailing", "linspace")]
VELOCITY = {"prediction_type": "v_prediction"}
ZERO = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", **VELOCITY}
COSINE = {"beta_schedule": "squaredcos_cap_v2", "beta_start": 0.0001, "beta_end": 0.02}
LINEAR = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}
OFFSET = {"timestep_spacing": "leading", "steps_offset": 1}
KARRAS, EXPONENTIAL = {"use_karras_sigmas": True}, {"use_exponential_sigmas": True}
BETA = {"use_beta_sigmas": True}
FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
CUT = {"thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 3.0}
MIN = {"final_sigmas_type": "sigma_min"}
# Divides by no signal at all at its first step, and is saved by being cut off.
SAVED = {**ZERO, "prediction_type": "epsilon", "clip_sample": True}

CASES = [
    *spread("DDIM", *SPACINGS, OFFSET, ZERO, {**COSINE, "clip_sample": True}, {"set_alpha_to_one": False}),
    *spread(
        "DDPM", *SPACINGS, OFFSET, VELOCITY, {"prediction_type": "sample"}, {"variance_type": "fixed_large"},
        {"variance_type": "fixed_small_log"}, {"clip_sample": True, "clip_sample_range": 2.0}, ZERO, COSINE,
    ),
    *spread(
        "PNDM", *({**one, "skip_prk_steps": True} for one in [*SPACINGS, OFFSET, VELOCITY, LINEAR]), {},
        {**OFFSET, "set_alpha_to_one": True}, {"timestep_spacing": "trailing"},
    ),
    *spread(
        "EulerDiscrete", *SPACINGS, OFFSET, VELOCITY, {"prediction_type": "sample"}, ZERO, COSINE, LINEAR, KARRAS,
        {**KARRAS, **VELOCITY, "timestep_spacing": "leading"}, EXPONENTIAL, MIN, {**KARRAS, **MIN},
        {**KARRAS, "sigma_min": 0.05, "sigma_max": 10.0},
    ),
    *spread("EulerAncestralDiscrete", *SPACINGS, OFFSET, VELOCITY, ZERO, COSINE),
    *spread(
        "HeunDiscrete", *SPACINGS, OFFSET, VELOCITY, {"prediction_type": "sample"}, KARRAS, EXPONENTIAL,
        {**KARRAS, "timestep_spacing": "trailing"}, {"clip_sample": True}, COSINE,
    ),
    *spread(
        "DPMSolverMultistep", *SPACINGS, OFFSET, VELOCITY, {"prediction_type": "sample"}, ZERO,
        {**COSINE, "lambda_min_clipped": -5.1}, {"solver_order": 1}, {"solver_order": 3},
        {"solver_order": 3, "lower_order_final": False}, {"solver_type": "heun"}, {"euler_at_final": True},
        KARRAS, {**KARRAS, "solver_order": 3, "timestep_spacing": "trailing"}, {**KARRAS, **COSINE}, EXPONENTIAL,
        {"use_lu_lambdas": True}, MIN, {**KARRAS, **MIN}, {"algorithm_type": "dpmsolver", **MIN},
        {"algorithm_type": "dpmsolver", **MIN, "solver_order": 3},
        {"algorithm_type": "dpmsolver", **MIN, "solver_type": "heun"}, {"algorithm_type": "sde-dpmsolver++"},
        {"algorithm_type": "sde-dpmsolver++", **KARRAS}, {"algorithm_type": "sde-dpmsolver++", "solver_type": "heun"},
        {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}, {"algorithm_type": "sde-dpmsolver++", **VELOCITY},
        {"algorithm_type": "sde-dpmsolver", **MIN}, {"algorithm_type": "sde-dpmsolver", **MIN, "solver_type": "heun"},
    ),
    *spread(
        "UniPCMultistep", *SPACINGS, OFFSET, VELOCITY, {"prediction_type": "sample"}, ZERO, {"solver_type": "bh1"},
        {"solver_order": 1}, {"solver_order": 3}, {"solver_order": 3, "lower_order_final": False, **MIN},
        {"predict_x0": False, **MIN}, {"disable_corrector": [0, 1]}, KARRAS, EXPONENTIAL, MIN,
        {**KARRAS, **MIN, "solver_order": 3},
    ),
    *spread(
        "LCM", {}, VELOCITY, {"prediction_type": "sample"}, {"original_inference_steps": 100}, {"timestep_scaling": 5.0},
        {"clip_sample": True},
    ),
    *spread(
        "FlowMatchEulerDiscrete", {}, {"shift": 3.0}, {"shift": 3.0, "stochastic_sampling": True},
        {"shift": 2.0, **KARRAS}, EXPONENTIAL, {"shift_terminal": 0.1},
    ),
    # What few models ask for, behind the rest so that their draws stay what they were.
    *spread("DDIM", {**CUT, "sample_max_value": 1.5}),
    *spread("DDPM", CUT, {"beta_schedule": "sigmoid", "beta_start": 0.0001, "beta_end": 0.02}),
    *spread("EulerDiscrete", BETA, {"interpolation_type": "log_linear"}, {**VELOCITY, "timestep_type": "continuous"}),
    *spread("HeunDiscrete", BETA),
    *spread(
        "DPMSolverMultistep", BETA, CUT, {**CUT, "algorithm_type": "dpmsolver", **MIN}, {**FLOW, "flow_shift": 3.0},
        {**FLOW, "solver_order": 3},
    ),
    *spread("UniPCMultistep", BETA, CUT, {**FLOW, "flow_shift": 3.0}, {**FLOW, **KARRAS}, {**FLOW, "shift_terminal": 0.1}),
    *spread("LCM", CUT),
    *spread("FlowMatchEulerDiscrete", BETA, {"invert_sigmas": True}),
    *spread("DDIM", SAVED),
    *spread("DDPM", SAVED),
    *spread("LCM", SAVED),
    *spread("EulerDiscrete", {**VELOCITY, "timestep_type": "continuous", "interpolation_type": "log_linear"}),
    # Levels so close that the weights are rounding in good part.
    *spread("UniPCMultistep", {"solver_order": 4}),
]


@exact_roots()
def make(_engine: Path) -> None:
    torch.manual_seed(20261124)
    folder = HERE / "samplers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines, numbers = [], {}
    for number, (name, change) in enumerate(CASES):
        kind = getattr(diffusers, f"{name}Scheduler")
        flow = name == "FlowMatchEulerDiscrete"
        with tempfile.TemporaryDirectory() as desk:
            base = {} if flow else dict(LATENT)
            taken = kind.__init__.__wrapped__.__code__.co_varnames if hasattr(kind.__init__, "__wrapped__") else base
            kind(**({key: value for key, value in base.items() if key in taken} | change)).save_pretrained(desk)
            text = (Path(desk) / "scheduler_config.json").read_text()
            # One line a case; the loader knows diffusers' infinities.
            lines.append(" ".join(text.split()))
            scheduler = kind.from_pretrained(desk)
        module = importlib.import_module(kind.__module__)
        for steps in STEPS:
            if name == "PNDM" and steps < 4 and not change.get("skip_prk_steps"):
                continue
            draws = []

            def draw(shape, generator=None, device=None, dtype=None, layout=None):
                draws.append(torch.randn(*shape))
                return draws[-1]

            if hasattr(module, "randn_tensor"):
                module.randn_tensor = draw
            scheduler.set_timesteps(steps)
            # As image pipelines do; without it a timestep that comes twice at first is skipped once.
            if hasattr(scheduler, "set_begin_index"):
                scheduler.set_begin_index(0)
            noise = torch.randn(1, 2, 2, 3)
            spread_of = float(getattr(scheduler, "init_noise_sigma", 1.0))
            sample = noise * spread_of
            timesteps = scheduler.timesteps.clone()
            predictions = torch.randn(len(timesteps), 1, 2, 2, 3)
            seen, trajectory = [], []
            for timestep, prediction in zip(timesteps, predictions):
                scaled = sample if flow else scheduler.scale_model_input(sample, timestep)
                seen.append(scaled)
                sample = scheduler.step(prediction, timestep, sample, return_dict=False)[0]
                trajectory.append(sample)
            middle = len(timesteps) // 2
            # As image-to-image begins.
            scheduler.set_timesteps(steps)
            if hasattr(scheduler, "set_begin_index"):
                scheduler.set_begin_index(middle)
            at = timesteps[middle : middle + 1]
            begun = (
                scheduler.scale_noise(predictions[0], at, noise) if flow
                else scheduler.add_noise(predictions[0], noise, at)
            )
            if not all(torch.isfinite(one).all() for one in trajectory):
                print("no numbers:", name, change, steps)
                continue
            place = f"{number}.{steps}."
            numbers |= {
                place + "timesteps": timesteps.float(),
                place + "init_noise_sigma": torch.tensor(spread_of),
                place + "noise": noise,
                place + "predictions": predictions,
                place + "seen": torch.stack(seen),
                place + "trajectory": torch.stack(trajectory),
                place + "begun": begun,
            }
            numbers |= {f"{place}noise_{index}": one for index, one in enumerate(draws)}
    (folder / "cases.jsonl").write_text("\n".join(lines) + "\n")
    write(folder / "expected.safetensors", numbers)
