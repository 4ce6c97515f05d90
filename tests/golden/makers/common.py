"""What every maker shares: the engine's noise, weights that nothing leaves at one or zero, files."""

import json
import math
import shutil
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent.parent
TOKENS = 32
WIDTH = 24

CAPTIONS = [
    "chest radiograph, AP view, child, male, bacterial pneumonia",
    "Chest   RADIOGRAPH,\n PA view; adult - female. No finding!",
    "",
    "   ",
    "it's the patient's 2nd film (3.5 cm opacity), we've seen 10% less",
    "Thorax-Röntgen: Ödem, Café-au-lait, naïve ß ﬁn",
    "胸片 正常 ☺ 👩‍⚕️",
    "e\u0301 decomposed and \u00e9 composed, tab\there, nbsp\u00a0there",
    "x_ray__view ... !!!??? 'quoted' \"twice\" it''s",
    "effusion " * 40,
]


class Noise:
    """The engine's normal numbers: Box and Muller's method on ChaCha8 as rand_chacha seeds it."""

    def __init__(self, seed: int):
        mask, state, words = (1 << 64) - 1, seed, []
        for _ in range(8):
            state = (state * 6364136223846793005 + 11634580027462260723) & mask
            shifted = (((state >> 18) ^ state) >> 27) & 0xFFFFFFFF
            turn = state >> 59
            words.append(((shifted >> turn) | (shifted << (-turn & 31))) & 0xFFFFFFFF)
        self.key, self.block, self.words = words, 0, []

    def word(self) -> int:
        if not self.words:
            start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *self.key]
            start += [self.block & 0xFFFFFFFF, self.block >> 32, 0, 0]
            x = list(start)

            def quarter(a, b, c, d):
                for one, two, three, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                    x[one] = (x[one] + x[two]) & 0xFFFFFFFF
                    mixed = x[three] ^ x[one]
                    x[three] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

            for _ in range(4):
                for column in range(4):
                    quarter(column, 4 + column, 8 + column, 12 + column)
                for column in range(4):
                    diagonal = [4 * row + (column + row) % 4 for row in range(4)]
                    quarter(*diagonal)
            self.words = [(a + b) & 0xFFFFFFFF for a, b in zip(x, start)]
            self.block += 1
        return self.words.pop(0)

    def uniform(self) -> float:
        low = self.word()
        return ((low | (self.word() << 32)) >> 11) * 2.0**-53

    def normal(self, *shape: int) -> torch.Tensor:
        values = []
        while len(values) < math.prod(shape):
            radius = math.sqrt(-2 * math.log(1 - self.uniform()))
            angle = 2 * math.pi * self.uniform()
            values += [radius * math.cos(angle), radius * math.sin(angle)]
        return torch.tensor(values[: math.prod(shape)], dtype=torch.float64).reshape(shape)


@contextmanager
def exact_roots():
    """Square roots as IEEE 754 rounds them, which on some processors torch's are not: every sixth is off by a bit,
    and at the noise of a zero-terminal schedule that bit is 3e-5 of the trajectory. Elsewhere this changes nothing."""
    power = torch.Tensor.__pow__

    def root(x: torch.Tensor) -> torch.Tensor:
        # The root of a single in double precision, rounded once more, is the right single.
        return torch.sqrt(x.double()).to(x.dtype)

    def raised(x: torch.Tensor, exponent):
        return root(x) if exponent == 0.5 and x.dtype == torch.float32 else power(x, exponent)

    with mock.patch.object(torch.Tensor, "__pow__", raised), mock.patch.object(torch.Tensor, "sqrt", root):
        yield


def shake(model: torch.nn.Module) -> None:
    """Moves every weight, norms' too, so that nothing is one or zero; rounds to half precision."""
    for value in model.parameters():
        value.data = (value.data + 0.05 * torch.randn_like(value)).half().float()


def dress(folder: Path, size: int, steps: int, description: str, tokenizers: list[str]) -> None:
    """Gives a bundle what is no network of it: tokenizers and a card."""
    for tokenizer in tokenizers:
        (folder / tokenizer).mkdir(parents=True)
        for file in ("vocab.json", "merges.txt"):
            shutil.copy(HERE / "ours" / "tokenizer" / file, folder / tokenizer / file)
    card = {
        "name": folder.name,
        "version": "0",
        "description": description,
        "image_size": size,
        "findings": [],
        "default_steps": steps,
        "default_guidance_scale": 4.0,
        "licence": "Apache-2.0",
        "attribution": [],
        "training": "none",
        "limits": "Shows nothing.",
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n")


def write(path: Path, numbers: dict) -> None:
    """Numbers as float32, counts as int64."""
    save_file(
        {
            name: (value if value.dtype == torch.int64 else value.detach().float()).contiguous()
            for name, value in numbers.items()
        },
        path,
    )
