"""What every kind of case shares: drawing, weights that nothing leaves at one or zero, reference files."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file


@dataclass
class Case:
    """A model folder with its reference file, and what the engine may deviate by."""

    folder: Path
    reference: Path
    limit: float
    words: dict = field(default_factory=dict)


class Skipped(Exception):
    """The library itself cannot follow what was drawn."""


class Draw(random.Random):
    """A source of choices; the same name draws the same."""

    def maybe(self, probability: float) -> bool:
        return self.random() < probability

    def sometimes(self, probability: float, **values) -> dict:
        """Of each value whether it is there; a list is chosen from."""
        return {
            key: self.choice(value) if isinstance(value, list) else value
            for key, value in values.items()
            if self.maybe(probability)
        }


def shake(model: torch.nn.Module) -> None:
    """Moves every weight, norms' too, so that nothing is one or zero."""
    for value in model.parameters():
        value.data = value.data + 0.05 * torch.randn_like(value)
    model.eval()


def weights(draw: Draw, model: torch.nn.Module, folder: Path) -> torch.nn.Module:
    """Saves a part in one of the ways that models are saved in, and gives it back in single precision."""
    shake(model)
    kind = draw.choice(["f32", "f32", "f16", "bf16", "variant", "pieces"])
    if kind in ("f16", "variant"):
        model.half()
    if kind == "bf16":
        model.bfloat16()
    more = {}
    if kind == "variant":
        more = {"variant": "fp16"}
    if kind == "pieces":
        size = sum(value.numel() * value.element_size() for value in model.parameters())
        more = {"max_shard_size": f"{max(size // 3 // 1000, 1)}KB"}
    model.save_pretrained(folder, **more)
    return model.float()


def write(path: Path, tensors: dict, metadata: dict | None = None) -> None:
    """A reference file."""
    save_file(
        {
            name: (value.float() if value.is_floating_point() else value).detach().contiguous().clone()
            for name, value in tensors.items()
        },
        path,
        metadata={key: str(value) for key, value in (metadata or {}).items()},
    )


def plain(words: dict) -> str:
    """A configuration for a person to read."""
    return json.dumps(words, default=str)
