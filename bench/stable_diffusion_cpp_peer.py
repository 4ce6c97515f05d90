"""A whole image by stable-diffusion.cpp, in this process; loading is not timed, as on our side."""

import argparse

from stable_diffusion_cpp import StableDiffusion

from cases import GUIDANCE, PROMPT, STEPS
from process import measure

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--steps", type=int, default=STEPS)
parser.add_argument("--repeat", type=int, default=1)
parser.add_argument("--flash", action="store_true", help="its flash attention")
parser.add_argument("--direct", action="store_true", help="its direct convolutions")
given = parser.parse_args()

model = StableDiffusion(
    model_path=given.model,
    n_threads=given.threads,
    diffusion_flash_attn=given.flash,
    diffusion_conv_direct=given.direct,
    vae_conv_direct=given.direct,
    vae_decode_only=True,
    verbose=False,
)


def image() -> None:
    made = model.generate_image(
        PROMPT, width=512, height=512, cfg_scale=GUIDANCE, sample_method="euler", sample_steps=given.steps, seed=1
    )
    assert len(made) == 1 and made[0].size == (512, 512)


measure(image, 0, given.repeat)
