"""Every sampling step of every form of DDIM, and what training is shown."""

import json
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import torch
from diffusers import DDIMScheduler

from .common import HERE, write


def ddim(**config) -> DDIMScheduler:
    """diffusers' DDIM with its schedule in double precision: what is wanted is the formula."""
    with mock.patch.object(torch, "float32", torch.float64):
        return DDIMScheduler(**config)


# What all models of latent diffusion share.
LATENT = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
}

SCHEDULERS = [
    {"prediction_type": prediction, "timestep_spacing": spacing, "rescale_betas_zero_snr": zero}
    for prediction in ("epsilon", "v_prediction", "sample")
    for spacing in ("leading", "trailing", "linspace")
    for zero in (False, True)
    if not (zero and prediction == "epsilon")
]
SCHEDULERS += [
    {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02, "steps_offset": 1},
    {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "trailing", "set_alpha_to_one": False},
    {"num_train_timesteps": 500, "timestep_spacing": "trailing", "set_alpha_to_one": False},
    {"clip_sample": True, "prediction_type": "v_prediction"},
]


def make(_engine: Path) -> None:
    folder = HERE / "schedulers"
    shutil.rmtree(folder, ignore_errors=True)
    cases, numbers = [], {}
    for number, change in enumerate(SCHEDULERS):
        scheduler = ddim(**(LATENT | change))
        for steps in (1, 7, 50):
            scheduler.set_timesteps(steps)
            sample = torch.randn(1, 2, 2, 3, dtype=torch.float64)
            samples, predictions = [sample], []
            for timestep in scheduler.timesteps:
                prediction = torch.randn_like(sample)
                sample = scheduler.step(prediction, timestep, sample, eta=0.0).prev_sample
                predictions.append(prediction)
                samples.append(sample)
            name = f"{number}.{steps}"
            numbers[f"{name}.timesteps"] = scheduler.timesteps.long()
            numbers[f"{name}.predictions"] = torch.stack(predictions)
            numbers[f"{name}.samples"] = torch.stack(samples)
        clean, noise = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64)
        timesteps = torch.tensor([0, 250, scheduler.config.num_train_timesteps - 1])
        numbers[f"{number}.clean"], numbers[f"{number}.noise"] = clean, noise
        numbers[f"{number}.noisy"] = scheduler.add_noise(clean, noise, timesteps)
        numbers[f"{number}.velocity"] = scheduler.get_velocity(clean, noise, timesteps)
        with tempfile.TemporaryDirectory() as desk:
            scheduler.save_pretrained(desk)
            cases.append(json.loads((Path(desk) / "scheduler_config.json").read_text()))
    folder.mkdir()
    (folder / "configs.json").write_text(json.dumps(cases, indent=1) + "\n")
    write(folder / "expected.safetensors", numbers)
