"""Figures by which images and judgements are measured, as scikit-image, scikit-learn and SciPy compute them."""

from pathlib import Path

import numpy
from safetensors.numpy import save_file
from scipy.linalg import sqrtm
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import f1_score, roc_auc_score

FOLDER = Path(__file__).parent.parent / "metrics"


def images(random: numpy.random.Generator) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A picture with edges and slopes, and the same blurred and with noise; sides that are not alike."""
    y, x = numpy.mgrid[0:37, 0:48]
    picture = 0.5 + 0.3 * numpy.sin(x / 5) * numpy.cos(y / 4) + 0.2 * (x > 24)
    other = (picture + numpy.roll(picture, 1, 1)) / 2 + random.normal(0, 0.03, picture.shape)
    return picture.astype(numpy.float32), other.astype(numpy.float32)


def distance(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """Fréchet's, by the general matrix root."""
    root = sqrtm(numpy.cov(a.T) @ numpy.cov(b.T)).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + numpy.trace(numpy.cov(a.T) + numpy.cov(b.T) - 2 * root)


def make(_engine: Path | None = None) -> None:
    random = numpy.random.default_rng(4)
    image, other = images(random)
    wide = image.astype(numpy.float64), other.astype(numpy.float64)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    positive = random.random(60) < 0.3
    # Rounded, so that there are ties within and across the two classes.
    scores = numpy.round(random.normal(0, 1, 60) + positive, 1).astype(numpy.float32)
    mask, drawn = image > 0.55, other > 0.5
    features = random.normal(0, 1, (40, 6)).astype(numpy.float32)
    mixed = (random.normal(0.4, 1, (50, 6)) @ random.normal(0, 0.7, (6, 6))).astype(numpy.float32)
    numbers = {
        "image": image,
        "other": other,
        "psnr": peak_signal_noise_ratio(*wide, data_range=1.0),
        "ssim": structural_similarity(*wide, data_range=1.0, **settings),
        "ssim_of_two": structural_similarity(*wide, data_range=2.0, **settings),
        "scores": scores,
        "positive": positive.astype(numpy.uint8),
        "auroc": roc_auc_score(positive, scores),
        "mask": mask.astype(numpy.uint8),
        "drawn": drawn.astype(numpy.uint8),
        "dice": f1_score(mask.ravel(), drawn.ravel()),
        "features": features,
        "mixed": mixed,
        "frechet": distance(features.astype(numpy.float64), mixed.astype(numpy.float64)),
    }
    FOLDER.mkdir(exist_ok=True)
    save_file({name: numpy.ascontiguousarray(value) for name, value in numbers.items()}, FOLDER / "expected.safetensors")
