"""A case by PyTorch, diffusers and peft, in this process.

With --output, the first call alone is measured, and what comes out of it is written: `sample` or `image`; of a training
step `loss`, and `gradient/<weight>` for every weight that is trained, under the engine's names.
"""

import argparse
import contextlib
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch.nn.functional import mse_loss

from bundles import PEFT
from cases import RANK, TARGETS, TIMESTEP, named
from process import measure

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True)
    parser.add_argument("--dtype", choices=DTYPES, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--warm-up", type=int)
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--output")
    return parser.parse_args()


class Peer:
    """A case's network with its inputs."""

    def __init__(self, options: argparse.Namespace):
        self.case = named([options.case])[0]
        self.dtype = DTYPES[options.dtype]
        self.layout = torch.channels_last if options.channels_last else torch.contiguous_format
        self.inputs = load_file(options.inputs)
        self.model = options.model

    def unet(self, dtype: torch.dtype) -> UNet2DConditionModel:
        network = UNet2DConditionModel.from_pretrained(self.model, subfolder="unet", torch_dtype=dtype)
        return network.to(memory_format=self.layout)

    def question(self, dtype: torch.dtype) -> tuple:
        sample = self.inputs["sample"].to(dtype).contiguous(memory_format=self.layout)
        return sample, torch.tensor([TIMESTEP] * self.case.batch), self.inputs["context"].to(dtype)

    def call(self):
        """One call of a network that does not learn."""
        if self.case.name == "vae-decode":
            vae = AutoencoderKL.from_pretrained(self.model, subfolder="vae", torch_dtype=self.dtype).eval()
            vae = vae.to(memory_format=self.layout)
            latent = self.inputs["latent"].to(self.dtype).contiguous(memory_format=self.layout)
            return lambda: {"image": vae.decode(latent).sample}
        network, question = self.unet(self.dtype).eval(), self.question(self.dtype)
        return lambda: {"sample": network(*question).sample}

    def learner(self):
        """The network that learns, its trained weights by the engine's names, and how it computes."""
        if self.case.name == "small-training":
            network = self.unet(torch.float32).train()
            trained = dict(network.named_parameters())
            mixed = torch.autocast("cpu", torch.bfloat16) if self.dtype == torch.bfloat16 else contextlib.nullcontext()
            return network, trained, mixed, torch.float32
        from peft import LoraConfig

        network = self.unet(self.dtype)
        network.requires_grad_(False)
        network.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(TARGETS)))
        trained = {
            PEFT + name.replace(".default", ""): value for name, value in network.named_parameters() if value.requires_grad
        }
        with torch.no_grad():
            for name, value in trained.items():
                # Kept in the network's number type: faster here than in single precision.
                value.data = self.inputs[name].to(self.dtype)
        return network, trained, contextlib.nullcontext(), self.dtype

    def step(self):
        """A training step; called with True it answers loss and gradients as well."""
        network, trained, mixed, dtype = self.learner()
        question, target = self.question(dtype), self.inputs["target"]
        optimiser = torch.optim.AdamW(trained.values(), lr=1e-4)

        def step(keep: bool = False) -> dict:
            with mixed:
                prediction = network(*question).sample
            loss = mse_loss(prediction.float(), target)
            loss.backward()
            kept = {}
            if keep:
                kept = {f"gradient/{name}": value.grad.clone() for name, value in trained.items()}
                kept["loss"] = loss.detach()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            return kept

        return step


def main() -> None:
    given = options()
    torch.set_num_threads(given.threads)
    peer = Peer(given)
    learns = peer.case.name.endswith("training")
    work = peer.step() if learns else peer.call()
    with contextlib.nullcontext() if learns else torch.inference_mode():
        if given.output:
            answer = {}
            measure(lambda: answer.update(work(True) if learns else work()), 0, 1)
            save_file({name: value.float().contiguous() for name, value in answer.items()}, given.output)
        else:
            measure(work, given.warm_up, given.repeat)


if __name__ == "__main__":
    main()
