"""Stable Diffusion's denoiser, its step and its decoder equal their originals, and diffusers' if it is installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import random_weights, relative_l2
from helpers.diffusion import FORMS, SMALL_VAE, AutoencoderKL, UNet, randomized

import trtnet
from trtnet import ModelError, models
from trtnet.models.denoising import SchedulerConfig, noise_levels, scheduler
from trtnet.models.published_diffusers import SCHEDULER, UNET, VAE, Family
from trtnet.models.stable_diffusion_unet import UNet2DConditionConfig
from trtnet.models.vae_decoder import AutoencoderKLConfig
from trtnet.weights import detect, rules

HALF = {"": "float32", "unet": "float16"}
SIZES = ((1, 16, 16), (2, 9, 13))
"""Batch, height and width of latents; those of the second are no multiples of two."""


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def run(model: Callable[..., Any], *arguments: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found = model(*arguments)
    return getattr(found, "sample", found)


def given(batch: int, height: int, width: int) -> tuple[torch.Tensor, ...]:
    """Latents, timesteps, the text."""
    return noise(batch, 4, height, width), torch.tensor([981, 20][:batch]), noise(batch, 5, 12, seed=1)


@pytest.mark.parametrize("form", FORMS)
def test_the_denoiser_at_two_sizes(form: str) -> None:
    original = randomized(UNet(**FORMS[form]))
    reference = trtnet.define(models.stable_diffusion_unet(**FORMS[form]), weights=original).reference()
    for size in SIZES:
        assert relative_l2(reference(*given(*size)), run(original, *given(*size))) <= 1e-5


def test_the_decoder_at_two_sizes_in_two_dtypes() -> None:
    original, ours = randomized(AutoencoderKL(**SMALL_VAE)), models.vae_decoder(**SMALL_VAE)
    weights = rules("vae_decoder").apply(original)
    for dtype, most in (("float32", 1e-5), ("float16", 1e-2)):
        network = trtnet.define(ours, weights=weights, dtype=dtype)
        for batch, height, width in SIZES:
            latents = noise(batch, 4, height, width)
            found = network.reference()(latents.to(getattr(torch, dtype)))
            assert relative_l2(found, run(original, latents / 0.18215)) <= most


def test_a_decoder_without_the_first_convolution_that_shifts_its_latents() -> None:
    original = randomized(AutoencoderKL(**SMALL_VAE))
    ours = models.vae_decoder(**SMALL_VAE, scaling_factor=0.5, shift_factor=0.25, use_post_quant_conv=False)
    weights = {key: value for key, value in original.state_dict().items() if key.startswith("decoder.")}
    original.post_quant_conv = torch.nn.Identity()
    latents = noise(1, 4, 8, 8)
    found = trtnet.define(ours, weights=weights).reference()(latents)
    assert relative_l2(found, run(original, latents * 2 + 0.25)) <= 1e-5


def ddim(model: Callable[..., Any], config: SchedulerConfig, latents: torch.Tensor, texts: Any, steps: int) -> Any:
    """The original's loop, after the formulas (12) of Song et al., in the variances of the paper."""
    power = 0.5 if config.beta_schedule == "scaled_linear" else 1
    betas = torch.linspace(config.beta_start**power, config.beta_end**power, 1000, dtype=torch.float64) ** (1 / power)
    alphas, ratio = torch.cumprod(1 - betas, 0), 1000 // steps
    for step in reversed(range(steps)):
        t = step * ratio + config.steps_offset
        now, later = alphas[t].item(), alphas[max(t - ratio, 0)].item()
        without, prompted = (run(model, latents, torch.full((len(latents),), t), text) for text in texts)
        predicted = without + 5.0 * (prompted - without)
        if config.prediction_type == "v_prediction":
            predicted = now**0.5 * predicted + (1 - now) ** 0.5 * latents
        clean = (latents - (1 - now) ** 0.5 * predicted) / now**0.5
        latents = later**0.5 * clean + (1 - later) ** 0.5 * predicted
    return latents


def denoise(step: Callable[..., Any], config: SchedulerConfig, latents: Any, texts: Any, steps: int) -> Any:
    """The same with ours."""
    timesteps, sigmas = noise_levels(config, steps)
    for numbers in zip(timesteps, sigmas, sigmas[1:], strict=False):
        each = [torch.full((len(latents),), float(number)) for number in (*numbers, 5.0)]
        latents = step(latents, *each, texts[1], texts[0])
    return latents


@pytest.mark.parametrize(
    ("form", "prediction", "dtype", "most"),
    [
        ("like 1.5", "epsilon", "float32", 1e-5),
        ("like 1.5", "epsilon", HALF, 1e-2),
        ("like 2.1", "v_prediction", "float32", 1e-5),
    ],
)
def test_two_steps_from_noise(form: str, prediction: Any, dtype: Any, most: float) -> None:
    original, config = randomized(UNet(**FORMS[form])), SchedulerConfig(prediction_type=prediction)
    ours, weights = models.denoising_step(**FORMS[form], prediction_type=prediction), rules("denoising").apply(original)
    texts = noise(2, 5, 12, seed=3), noise(2, 5, 12, seed=4)
    wanted = ddim(original, config, noise(2, 4, 8, 6), texts, steps=2)
    network = trtnet.define(ours, weights=weights, dtype=dtype)
    assert relative_l2(denoise(network.reference(), config, noise(2, 4, 8, 6), texts, steps=2), wanted) <= most
    assert str(network.outputs["latents_next"].dtype) == "float32"


ANY = {"batch": (1, 2, 4), "height": (8, 16, 24), "width": (8, 16, 24)}


def test_a_step_in_float16_builds_for_any_batch_and_size() -> None:
    form = {**FORMS["like 1.5"], "down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    ours = models.denoising_step(**form)  # its middle has attention
    plan = trtnet.define(ours, weights=random_weights(ours), dtype=HALF).build({**ANY, "length": 77}).plan
    latents, *numbers = plan.info.inputs[:5]
    assert latents.shape == ("batch", 4, "height", "width")
    assert {str(each.dtype) for each in (latents, *numbers)} == {"float32"}


def test_a_decoder_in_float16_builds_for_any_batch_and_size() -> None:
    ours = models.vae_decoder(**{**SMALL_VAE, "layers_per_block": 0})
    plan = trtnet.define(ours, weights=random_weights(ours), dtype="float16").build(ANY).plan
    assert plan.info.inputs[0].shape == ("batch", 4, "height", "width")


def test_published_sizes_have_as_many_weights_as_the_published_files() -> None:
    two = {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
    made = models.stable_diffusion_unet(), models.stable_diffusion_unet(**two), models.vae_decoder()
    counts = [sum(int(np.prod(p.shape)) for _, p in model.named_parameters()) for model in made]
    assert counts == [859_520_964, 865_910_724, 49_490_199]


def test_rules_detect_their_files_and_come_back() -> None:
    for family, original in (("denoising", UNet(**FORMS["like 1.5"])), ("vae_decoder", AutoencoderKL(**SMALL_VAE))):
        state = original.state_dict()
        assert detect(state).family == family
        back = rules(family).inverse().apply(rules(family).apply(state))
        assert set(state) - set(back) == {key for key in state if key.startswith(("encoder.", "quant_conv."))}
        assert all(np.array_equal(back[key], state[key].numpy()) for key in back)


def test_the_decoder_takes_the_names_of_older_files() -> None:
    state, older = AutoencoderKL(**SMALL_VAE).state_dict(), {}
    for key, value in state.items():
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            key = key.replace(f"attentions.0.{new}", f"attentions.0.{old}")
        older[key] = value
    assert older.keys() != state.keys() and detect(older).family == "vae_decoder"
    assert rules("vae_decoder").apply(older).digest() == rules("vae_decoder").apply(state).digest()


# noise levels
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def test_noise_levels_of_published_schedulers() -> None:
    timesteps, sigmas = noise_levels(scheduler(), 50)
    assert timesteps[[0, 1, -1]].tolist() == [981, 961, 1]
    assert sigmas[-1] == np.float32((0.00085 / 0.99915) ** 0.5)
    euler = {"_class_name": "EulerDiscreteScheduler", **SD}
    timesteps, sigmas = noise_levels(scheduler(euler), 3)
    assert timesteps.tolist() == [999, 499.5, 0] and sigmas.dtype == np.float32
    np.testing.assert_allclose(sigmas, [14.614647, 1.615582, 0.029167, 0], rtol=2e-5)
    trailing = scheduler({"_class_name": "PNDMScheduler", **SD}, timestep_spacing="trailing")
    assert noise_levels(trailing, 4)[0].tolist() == [999, 749, 499, 249] and not trailing.set_alpha_to_one
    linear = scheduler({"_class_name": "DDIMScheduler", "clip_sample": False})
    assert (linear.beta_schedule, linear.beta_end, linear.set_alpha_to_one) == ("linear", 0.02, True)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"_class_name": "DDIMScheduler"}, "clip_sample is True; it must be False"),
        ({"_class_name": "DDIMScheduler", "clip_sample": False, "rescale_betas_zero_snr": True}, "rescale_betas_zero"),
        ({"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": True}, "use_karras_sigmas is True.*has False"),
        ({"_class_name": "LMSDiscreteScheduler"}, "'LMSDiscreteScheduler', which is not read here; known"),
        ({"_class_name": "PNDMScheduler", "prediction_type": "sample"}, "prediction_type is 'sample'; it must be 'eps"),
    ],
)
def test_other_schedulers_are_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        scheduler(document)


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_numbers_of_steps_are_refused(steps: int) -> None:
    with pytest.raises(ModelError, match=f"{steps} steps; there can be 1 to 1000"):
        noise_levels(SchedulerConfig(), steps)


def test_a_configuration_with_too_few_blocks_is_refused() -> None:
    with pytest.raises(ModelError, match=r"attention_head_dim is \(8, 8\); block_out_channels has 4 blocks"):
        models.stable_diffusion_unet(attention_head_dim=(8, 8))


# diffusers
@pytest.fixture(scope="module")
def diffusers() -> Any:
    library = pytest.importorskip("diffusers", reason="needs the package diffusers")
    originals.import_torchvision()
    return library


@pytest.mark.parametrize("form", FORMS)
def test_the_denoiser_is_diffusers(form: str, diffusers: Any) -> None:
    original = randomized(diffusers.UNet2DConditionModel(**FORMS[form]))
    document = json.loads(original.to_json_string())
    reference = trtnet.define(models.stable_diffusion_unet(document), weights=original.state_dict()).reference()
    again = UNet(**FORMS[form]).eval()
    again.load_state_dict(original.state_dict())
    for size in SIZES:
        wanted = run(original, *given(*size))
        assert relative_l2(reference(*given(*size)), wanted) <= 1e-5
        assert relative_l2(run(again, *given(*size)), wanted) <= 1e-5


def test_the_decoder_is_diffusers(diffusers: Any) -> None:
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    original = randomized(diffusers.AutoencoderKL(**SMALL_VAE, **kinds))
    ours, weights = models.vae_decoder(json.loads(original.to_json_string())), rules("vae_decoder").apply(original)
    again = AutoencoderKL(**SMALL_VAE).eval()
    again.load_state_dict({k: v for k, v in original.state_dict().items() if "decoder" in k or "post" in k}, False)
    for batch, height, width in SIZES:
        latents = noise(batch, 4, height, width)
        wanted = run(original.decode, latents / 0.18215)
        assert relative_l2(trtnet.define(ours, weights=weights).reference()(latents), wanted) <= 1e-5
        assert relative_l2(run(again, latents / 0.18215), wanted) <= 1e-5


SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    "ddim, v": (
        "DDIMScheduler",
        {"clip_sample": False, "timestep_spacing": "trailing", "prediction_type": "v_prediction"},
    ),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler, v": ("EulerDiscreteScheduler", {"timestep_spacing": "leading", "prediction_type": "v_prediction"}),
    "euler to the least": ("EulerDiscreteScheduler", {"final_sigmas_type": "sigma_min"}),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_loop_is_diffusers(name: str, diffusers: Any) -> None:
    kind, options = SCHEDULERS[name]
    theirs, original = getattr(diffusers, kind)(**SD, **options), randomized(UNet(**FORMS["like 1.5"]))
    config = scheduler(json.loads(theirs.to_json_string()))
    step = models.denoising_step(**FORMS["like 1.5"], prediction_type=config.prediction_type)
    texts, steps = (noise(1, 5, 12, seed=3), noise(1, 5, 12, seed=4)), 8
    network = trtnet.define(step, weights=rules("denoising").apply(original))
    found = denoise(network.reference(), config, noise(1, 4, 8, 8), texts, steps)
    theirs.set_timesteps(steps)
    sigmas = [0.0] * (steps + 1) if "DDIM" in kind else theirs.sigmas.tolist()
    latents = noise(1, 4, 8, 8) * (sigmas[0] ** 2 + 1) ** 0.5
    for t in theirs.timesteps:
        scaled = theirs.scale_model_input(latents, t)
        without, prompted = (run(original, scaled, t.reshape(1), text) for text in texts)
        latents = theirs.step(without + 5.0 * (prompted - without), t, latents).prev_sample
    assert relative_l2(found, latents / (sigmas[-1] ** 2 + 1) ** 0.5) <= 1e-5


HARMLESS = {
    "of the training, and the sizes trained with": "dropout sample_size",
    "dtypes": "upcast_attention force_upcast",
    "of the encoder": "in_channels down_block_types use_quant_conv",
    "of what another key has to turn on": """
        addition_embed_type_num_heads addition_time_embed_dim projection_class_embeddings_input_dim
        dynamic_thresholding_ratio clip_sample_range sample_max_value sigma_min sigma_max
    """,
    "of another method than ours": "skip_prk_steps",
    "of files": "_class_name _diffusers_version",
}
KINDS: dict[str, tuple[Family, Any]] = {
    **dict.fromkeys(UNET.forms, (UNET, UNet2DConditionConfig())),
    **dict.fromkeys(VAE.forms, (VAE, AutoencoderKLConfig())),
    **dict.fromkeys(SCHEDULER.forms, (SCHEDULER, SchedulerConfig())),
}


def document(diffusers: Any, kind: str) -> dict[str, Any]:
    """What diffusers writes of a class's defaults."""
    with torch.device("cpu" if kind.endswith("Scheduler") else "meta"):
        return json.loads(getattr(diffusers, kind)().to_json_string())


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_diffusers_is_read_checked_or_changes_nothing(kind: str, diffusers: Any) -> None:
    family, default = KINDS[kind]
    known = {field.name for field in fields(default)} | set(family.forms[kind].fixed)
    assert set(document(diffusers, kind)) - known - set(" ".join(HARMLESS.values()).split()) == set()


@pytest.mark.parametrize("kind", ["UNet2DConditionModel", "PNDMScheduler", "EulerDiscreteScheduler"])
def test_missing_keys_mean_what_they_mean_to_diffusers(kind: str, diffusers: Any) -> None:
    """The other two have defaults that ours refuse: values that are clipped, and another kind of block."""
    family, default = KINDS[kind]
    assert family.read({"_class_name": kind}, default, {}) == family.read(document(diffusers, kind), default, {})
