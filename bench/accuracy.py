"""How far two answers are apart."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file


@dataclass(frozen=True)
class Distance:
    """Of an answer from the expected one."""

    # The largest difference as a share of the largest expected value.
    largest: float
    # The root of the mean squared difference, as a share of the expected values' own.
    mean: float


def distance(answer: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> Distance:
    """Of the output furthest away; all gradients together count as one output.

    Fails where names or shapes differ: then it is not the same work.
    """
    if answer.keys() != expected.keys():
        raise ValueError(f"the answers differ in {sorted(answer.keys() ^ expected.keys())[:4]}")
    groups: dict[str, list[str]] = {}
    for name in expected:
        groups.setdefault(name.partition("/")[0], []).append(name)
    worst = Distance(0.0, 0.0)
    for names in groups.values():
        for name in names:
            if answer[name].shape != expected[name].shape:
                raise ValueError(f"{name} is {tuple(answer[name].shape)} and {tuple(expected[name].shape)}")
        ours, theirs = (torch.cat([side[name].double().flatten() for name in names]) for side in (answer, expected))
        if not ours.isfinite().all():
            return Distance(math.inf, math.inf)
        difference = ours - theirs
        one = Distance((difference.abs().max() / theirs.abs().max()).item(), (difference.norm() / theirs.norm()).item())
        worst = Distance(max(worst.largest, one.largest), max(worst.mean, one.mean))
    return worst


def between(answer: Path, expected: Path) -> Distance:
    return distance(load_file(answer), load_file(expected))
