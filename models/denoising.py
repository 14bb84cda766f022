"""A step from noise to an image: classifier-free guidance (Ho and Salimans, 2022), then DDIM (Song et al., 2021).

DDIM is Euler's method in the latents divided by sqrt(alpha), over sigma = sqrt((1 - alpha) / alpha) (the paper's
equation 14). So both schedulers of diffusers are this step, with the noise levels of each.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.diffusion_layers import Timesteps
from trtnet.models.published_diffusers import SCHEDULER, UNET, Source
from trtnet.models.stable_diffusion_unet import UNet2DConditionConfig, UNet2DConditionModel
from trtnet.support.errors import ModelError


@dataclass(frozen=True)
class SchedulerConfig:
    """The fields of the original's scheduler_config.json; the defaults are Stable Diffusion 1.5's.

    set_alpha_to_one: whether the last step ends without noise, not at the least noise of the training. clip_sample:
    must be False, since latents have no limits. prediction_type: what the denoiser was trained to predict; the
    configuration of `denoising_step` takes it.
    """

    num_train_timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: Literal["linear", "scaled_linear"] = "scaled_linear"
    timestep_spacing: Literal["leading", "trailing", "linspace"] = "leading"
    steps_offset: int = 1
    set_alpha_to_one: bool = False
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    clip_sample: Literal[False] = False

    @property
    def sigmas(self) -> np.ndarray:
        """sqrt((1 - alpha) / alpha) of each timestep of the training, float64."""
        power = 0.5 if self.beta_schedule == "scaled_linear" else 1.0
        betas = np.linspace(self.beta_start**power, self.beta_end**power, self.num_train_timesteps) ** (1 / power)
        return np.sqrt(1 / np.cumprod(1 - betas) - 1)


def scheduler(config: SchedulerConfig | Source | None = None, **fields: Any) -> SchedulerConfig:
    """The noise levels of Stable Diffusion 1.5; those of any scheduler_config.json of DDIM, PNDM or Euler."""
    return SCHEDULER.read(config, SchedulerConfig(), fields)


def noise_levels(config: SchedulerConfig, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(timesteps [steps], sigmas [steps + 1]) float32: a step goes from each sigma to the next one.

    Those of diffusers' EulerDiscreteScheduler, and of its DDIMScheduler where `steps` divides the timesteps.
    Raises ModelError for no steps, and for more than the training had.
    """
    count, known = config.num_train_timesteps, config.sigmas
    if not 1 <= steps <= count:
        raise ModelError(f"{steps} steps; there can be 1 to {count}, as many as the training had")
    timesteps = {
        "leading": np.arange(steps)[::-1] * (count // steps) + config.steps_offset,
        "trailing": np.round(count - np.arange(steps) * (count / steps)) - 1,
        "linspace": np.linspace(0, count - 1, steps)[::-1],
    }[config.timestep_spacing]
    last = 0.0 if config.set_alpha_to_one else known[0]
    sigmas = np.append(np.interp(timesteps, np.arange(count), known), last)
    return timesteps.astype(np.float32), sigmas.astype(np.float32)


@dataclass(frozen=True)
class DenoisingConfig(UNet2DConditionConfig):
    """That of the denoiser, and what it was trained to predict: the noise, or v (Salimans and Ho, 2022)."""

    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"


class DenoisingStep(nn.Module):
    """Latents, and the noise in them, to latents with less noise.

    latents: [batch, 4, height, width]; the first are standard normal. timestep, sigma, next_sigma: [batch], of
    `noise_levels`; each image may be at a step of its own. guidance_scale: [batch]; 1 is none. prompt_embeds,
    negative_prompt_embeds: [batch, length, cross_attention_dim], the text's states, and those of the empty text.
    Result: latents_next, as latents. All of it is float32, and the denoiser is another dtype with
    define(dtype={"": "float32", "unet": "float16"}); its weights are those of diffusers, with the rules `denoising`.
    """

    def __init__(self, config: DenoisingConfig) -> None:
        text = trtnet.Input(("batch", "length", config.cross_attention_dim))
        self.inputs = {
            "latents": trtnet.Input(("batch", config.out_channels, "height", "width")),
            **dict.fromkeys(("timestep", "sigma", "next_sigma", "guidance_scale"), trtnet.Input(("batch",))),
            **dict.fromkeys(("prompt_embeds", "negative_prompt_embeds"), text),
        }
        self.predicts_noise = config.prediction_type == "epsilon"
        self.time_proj = Timesteps(config.block_out_channels[0])  # here, in float32: a timestep may be a fraction
        self.unet = UNet2DConditionModel(config)

    def forward(
        self,
        latents: trtnet.Tensor,
        timestep: trtnet.Tensor,
        sigma: trtnet.Tensor,
        next_sigma: trtnet.Tensor,
        guidance_scale: trtnet.Tensor,
        prompt_embeds: trtnet.Tensor,
        negative_prompt_embeds: trtnet.Tensor,
    ) -> dict[str, trtnet.Tensor]:
        time, text = self.time_proj(timestep), ops.cat([negative_prompt_embeds, prompt_embeds])
        both = self.unet(ops.cat([latents, latents]), ops.cat([time, time]), text)
        without, prompted = both[: latents.shape[0]], both[latents.shape[0] :]
        sigma, next_sigma, guidance = (x[:, None, None, None] for x in (sigma, next_sigma, guidance_scale))
        predicted = without + guidance * (prompted - without)
        scale, next_scale = (ops.sqrt(x * x + 1) for x in (sigma, next_sigma))  # 1 / sqrt(alpha)
        noise = predicted if self.predicts_noise else (predicted + sigma * latents) / scale
        return {"latents_next": (latents * scale + (next_sigma - sigma) * noise) / next_scale}


def denoising_step(config: DenoisingConfig | Source | None = None, **fields: Any) -> DenoisingStep:
    """A step of Stable Diffusion 1.5 with guidance; that of any 1.x or 2.x by the config.json of its denoiser."""
    return DenoisingStep(UNET.read(config, DenoisingConfig(), fields))
