"""Steps of Stable Diffusion's denoiser and its decoder on a real GPU, of any size, equal those on the CPU.

tests/conftest.py skips them where there is no GPU.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.comparing import random_weights, relative_l2
from helpers.diffusion import FORMS, SMALL_VAE

import trtnet
from trtnet import models
from trtnet.models.denoising import noise_levels, scheduler

pytestmark = pytest.mark.gpu
DIMS = {"batch": (1, 2, 4), "height": (8, 16, 24), "width": (8, 16, 24)}
SIZES = ((1, 16, 16), (2, 9, 13))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def denoised(step: Any, latents: torch.Tensor, steps: int = 4) -> torch.Tensor:
    """Of this many steps with guidance, where the latents are."""
    batch, device = len(latents), latents.device
    texts = [noise(batch, 5, 12, seed=seed).to(device) for seed in (1, 2)]
    timesteps, sigmas = noise_levels(scheduler(), steps)
    for numbers in zip(timesteps, sigmas, sigmas[1:], strict=False):
        each = [torch.full((batch,), float(number), device=device) for number in (*numbers, 5.0)]
        latents = step(latents, *each, *texts)
    return latents.cpu()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("form", FORMS)
def test_four_steps_from_noise(form: str, dtype: str) -> None:
    ours = models.denoising_step(**FORMS[form])
    network = trtnet.define(ours, weights=random_weights(ours), dtype={"": "float32", "unet": dtype})
    with network.build({**DIMS, "length": (1, 5, 77)}) as engine:
        for batch, height, width in SIZES:
            latents = noise(batch, 4, height, width)
            found = denoised(engine, latents.cuda())
            assert (
                relative_l2(found, denoised(network.reference(), latents)) <= {"float32": 2e-3, "float16": 2e-2}[dtype]
            )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_decoder(dtype: str) -> None:
    ours = models.vae_decoder(**SMALL_VAE)
    network = trtnet.define(ours, weights=random_weights(ours), dtype=dtype)
    with network.build(DIMS) as engine:
        for batch, height, width in SIZES:
            latents = noise(batch, 4, height, width).to(getattr(torch, dtype))
            found = engine(latents.cuda()).cpu()
            assert relative_l2(found, network.reference()(latents)) <= {"float32": 2e-3, "float16": 2e-2}[dtype]
