"""The whole of Stable Diffusion 1.5's UNet with random weights, and one call of it, for the ignored test in full.rs.

    python tests/golden/full.py FOLDER

writes 1.7 GB to FOLDER and takes about 8 GB of memory.
"""

import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

folder = Path(sys.argv[1])
torch.manual_seed(15)
# The defaults of the class are Stable Diffusion 1.5's, but for the width of its text.
network = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
with torch.no_grad():
    for value in network.parameters():
        # Norms are moved off one and zero, too.
        value += 0.02 * torch.randn_like(value)
        value.copy_(value.half())
    network.half().save_pretrained(folder / "unet")
    network.float().eval()
    sample, context = torch.randn(1, 4, 64, 64), torch.randn(1, 77, 768)
    out = network(sample, torch.tensor([501.0]), context).sample
numbers = {
    "unet/in/sample": sample,
    "unet/in/timestep": torch.tensor([501.0]),
    "unet/in/encoder_hidden_states": context,
    "unet/out/sample": out,
}
save_file({name: value.contiguous() for name, value in numbers.items()}, folder / "reference.safetensors")
print("largest", out.abs().max().item())
