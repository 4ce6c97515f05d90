"""The cases, what is asked of each, and the shapes of their models and inputs.

Names and sizes are those of `skiagraph-engine bench` (engine/src/bench/case.rs).
"""

from dataclasses import dataclass

TIMESTEP = 500.0
TOKENS = 77
RANK = 8
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
PROMPT = "chest radiograph, PA view, pleural effusion"
STEPS = 20
GUIDANCE = 7.5


@dataclass(frozen=True)
class Case:
    """A row of the table; the ratio is the peer's time divided by ours."""

    name: str
    words: str
    model: str
    dtypes: tuple[str, ...]
    # At least, and what is aimed at, by number type.
    targets: dict[str, tuple[float, float]]
    warm_up: int
    repeat: int
    batch: int = 0
    side: int = 0


def both(least: float, aim: float) -> dict[str, tuple[float, float]]:
    return {"f32": (least, aim), "bf16": (least, aim)}


FLOATS = ("f32", "bf16")
CASES = (
    Case("unet-32", "SD 1.5 UNet, latent 32², batch 2", "sd15", FLOATS, {"f32": (1.5, 2.0), "bf16": (1.3, 1.6)}, 1, 5, 2, 32),
    Case("unet-64", "SD 1.5 UNet, latent 64², batch 2", "sd15", FLOATS, {"f32": (1.5, 2.0), "bf16": (1.3, 1.6)}, 1, 3, 2, 64),
    Case("vae-decode", "VAE decode to 512²", "sd15", FLOATS, both(1.2, 1.6), 1, 3, 1, 64),
    Case("small-forward", "small UNet (18 M), latent 32², batch 8, forward", "small", FLOATS, both(1.4, 2.0), 1, 7, 8, 32),
    Case("small-training", "small UNet, training step", "small", FLOATS, both(1.3, 1.8), 1, 7, 8, 32),
    Case(
        "lora-training",
        "LoRA r8 step, SD 1.5 shape, latent 32²",
        "sd15",
        FLOATS,
        {"f32": (1.3, 1.8), "bf16": (1.2, 1.8)},
        1,
        5,
        1,
        32,
    ),
    Case("text-to-image", "text-to-image, SD 1.5 shape, 512², 20 steps", "sd15", ("f32",), {"f32": (5.0, 7.0)}, 0, 1),
)

# Peak memory: no more than the peer's, and what is aimed at, as a share of it.
MEMORY = (1.0, 0.7)
# The largest deviation in f32, as a share of the largest value.
DEVIATION = 1e-4


def named(names: list[str]) -> list[Case]:
    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"CASES: {', '.join(unknown)}: no such case; known are {', '.join(known)}")
    return [known[name] for name in names] if names else list(CASES)
