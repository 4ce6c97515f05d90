"""Makes the golden numbers: tiny models with random weights, and what PyTorch computes from them.

    make golden        # from the project's root

Nothing is fetched but the libraries of requirements.txt; every weight is random and drawn here, or
by the engine (`skiagraph-engine model init`). Each bundle is written by diffusers and transformers
themselves, so that the engine reads what they write, key by key; `ours` is written by the engine, so
that they read what it writes. Weights are rounded to half precision first and all outputs computed in
double precision: a deviation is the engine's.
"""

import argparse
from pathlib import Path

import numpy
import torch

from makers import (
    adapters,
    bundles,
    captions,
    metrics,
    networks,
    parameters,
    pipelines,
    prompts,
    references,
    samplers,
    schedulers,
    speech,
    vision,
)

# In this order: `bundles` writes the tokenizer that others read, `pipelines` the models of `adapters`,
# `parameters` and `vision`.
MAKERS = [
    bundles, networks, schedulers, samplers, captions, prompts, pipelines, adapters, parameters, references, vision,
    speech, metrics,
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=Path, required=True, help="the program skiagraph-engine")
    parser.add_argument("--only", nargs="*", default=[], help="names of makers; all without")
    options = parser.parse_args()
    for maker in MAKERS:
        name = maker.__name__.removeprefix("makers.")
        if options.only and name not in options.only:
            continue
        # Each from its own seed, so that one can be made anew without the others.
        torch.manual_seed(1)
        numpy.random.seed(1)
        with torch.no_grad():
            maker.make(options.engine)
        print(name, "made")


if __name__ == "__main__":
    main()
