"""Fits engine/src/quality/frontal.safetensors: what frontal radiographs of children and of adults look like in 32 × 32
greys. Needs numpy, Pillow and safetensors, and ../shared/data. Patients of every tenth identifier are held out; prints
how often one of theirs is doubted as it is, and how often each wrong posture is found."""

import csv
import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

SIDE = 32
COMPONENTS = 24
LEAST_GAIN = 50.0  # as engine/src/quality/frontal.rs has it
ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared/data"


def reduced(path: Path) -> np.ndarray:
    """The picture in 32 × 32 greys by Lanczos, of zero mean and unit variance."""
    grey = Image.open(path).convert("F").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.clip(np.asarray(grey, np.float64).ravel() / 255, 0, 1)
    return (pixels - pixels.mean()) / max(pixels.std(), 1e-6)


def load(folder: str) -> tuple[np.ndarray, np.ndarray]:
    rows = list(csv.DictReader(open(DATA / folder / "labels.csv", newline="")))
    pictures = np.stack([reduced(DATA / folder / "images" / row["file"]) for row in rows])
    held = np.array([hashlib.sha256(row["patient"].encode()).digest()[0] % 10 == 0 for row in rows])
    return pictures, held


def density(pictures: np.ndarray, fitted: dict) -> np.ndarray:
    centred = pictures - fitted["mean"]
    along = centred @ fitted["components"].T
    left = (centred**2).sum(1) - (along**2).sum(1)
    rest = fitted["rest"]
    others = SIDE * SIDE - COMPONENTS
    volume = np.log(fitted["variances"]).sum() + others * np.log(rest)
    return -0.5 * ((along**2 / fitted["variances"]).sum(1) + left / rest + volume)


def fit(pictures: np.ndarray) -> dict:
    mean = pictures.mean(0)
    _, scales, rows = np.linalg.svd(pictures - mean, full_matrices=False)
    variances = scales**2 / len(pictures)
    fitted = {
        "mean": mean,
        "components": rows[:COMPONENTS],
        "variances": variances[:COMPONENTS],
        "rest": variances[COMPONENTS:].sum() / (SIDE * SIDE - COMPONENTS),
    }
    fitted = {name: np.asarray(value).astype(np.float16).astype(np.float64) for name, value in fitted.items()}
    fitted["least"] = float(np.float16(np.quantile(density(pictures, fitted), 0.005)))
    return fitted


def postures(pictures: np.ndarray) -> dict[str, np.ndarray]:
    squares = pictures.reshape(-1, SIDE, SIDE)
    # np.rot90 turns against the clock; stored turned clockwise is k = -quarters.
    return {
        f"{90 * quarters}°{', inverted' if sign < 0 else ''}": sign
        * np.rot90(squares, -quarters, (1, 2)).reshape(len(pictures), -1)
        for quarters in range(4)
        for sign in (1, -1)
    }


def look(pictures: np.ndarray, models: list[dict]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The number of the likeliest posture, its gain and its margin, as the engine has them."""
    squares = pictures.reshape(-1, SIDE, SIDE)
    densities, margins = [], []
    for quarters in range(4):
        for sign in (1, -1):
            back = sign * np.rot90(squares, quarters, (1, 2)).reshape(len(pictures), -1)
            each = np.stack([density(back, model) for model in models])
            over = each - np.array([model["least"] for model in models])[:, None]
            best = each.argmax(0)
            densities.append(each.max(0))
            margins.append(np.take_along_axis(over, best[None], 0)[0])
    densities, margins = np.stack(densities), np.stack(margins)
    best = densities.argmax(0)
    row = np.arange(len(pictures))
    return best, densities.max(0) - densities[0], margins[best, row]


def main() -> None:
    models, held_out, tensors = [], [], {}
    for who, folder in (("child", "kermany224"), ("adult", "nih512")):
        pictures, held = load(folder)
        fitted = fit(pictures[~held])
        models.append(fitted)
        held_out.append((who, pictures[held]))
        for name in ("mean", "components", "variances"):
            tensors[f"{who}.{name}"] = fitted[name].astype(np.float16)
        tensors[f"{who}.scalars"] = np.array([fitted["rest"], fitted["least"]], np.float16)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "engine/src/quality/frontal.safetensors"
    save_file(tensors, target)
    for who, pictures in held_out:
        for number, (name, turned) in enumerate(postures(pictures).items()):
            best, gain, margin = look(turned, models)
            strange = margin < 0
            doubted = ~strange & (gain >= LEAST_GAIN)
            found = doubted & (best == number)
            print(
                f"{who}, {name}: {len(turned)} held out; like no chest {strange.mean():.3f}, "
                f"another posture {doubted.mean():.3f}, the right one of them {found.mean():.3f}"
            )


if __name__ == "__main__":
    main()
