"""The keys of the published `config.json` and `scheduler_config.json` of diffusers' classes.

Keys that change nothing in inference are not here: dropout, the size trained with, dtypes (`upcast_attention`,
`force_upcast`: scores of the fused attention are float32), the encoder of an autoencoder.
"""

from typing import Any

from trtnet.support.configuration.config_json import Allowed, Document, Family, Form, Source

__all__ = ["SCHEDULER", "UNET", "VAE", "Family", "Source"]

_KEY = "_class_name"
_NOT_COMPUTED = (
    "addition_embed_type", "class_embed_type", "cross_attention_norm", "encoder_hid_dim", "encoder_hid_dim_type",
    "num_attention_heads", "num_class_embeds", "reverse_transformer_layers_per_block", "time_cond_proj_dim",
    "time_embedding_act_fn", "time_embedding_dim", "timestep_post_act",
)  # fmt: skip
UNET = Family(
    {
        "UNet2DConditionModel": Form(
            names={"prediction_type": ()},
            defaults={"cross_attention_dim": 1280},
            fixed={
                **dict.fromkeys(_NOT_COMPUTED, (None,)),
                "act_fn": ("silu",),
                "attention_type": ("default",),
                "center_input_sample": (False,),
                "class_embeddings_concat": (False,),
                "conv_in_kernel": (3,),
                "conv_out_kernel": (3,),
                "downsample_padding": (1,),
                "dual_cross_attention": (False,),
                "flip_sin_to_cos": (True,),
                "freq_shift": (0,),
                "mid_block_only_cross_attention": (None, False),
                "mid_block_scale_factor": (1,),
                "mid_block_type": ("UNetMidBlock2DCrossAttn",),
                "only_cross_attention": (False,),
                "resnet_out_scale_factor": (1,),
                "resnet_skip_time_act": (False,),
                "resnet_time_scale_shift": ("default",),
                "time_embedding_type": ("positional",),
            },
        )
    },
    _KEY,
)

VAE = Family(
    {
        "AutoencoderKL": Form(
            defaults={"block_out_channels": (64,), "layers_per_block": 1},
            fixed={
                "act_fn": ("silu",),
                "latents_mean": (None,),
                "latents_std": (None,),
                "mid_block_add_attention": (True,),
                "up_block_types": ("UpDecoderBlock2D",),
            },
        )
    },
    _KEY,
)


def _ends_clean(document: Document) -> Any:
    return document.get("final_sigmas_type", "zero") == "zero"


_DDPM: dict[str, Any] = {
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "steps_offset": 0,
}
_UNALTERED: dict[str, Allowed] = {
    "trained_betas": (None,),
    "rescale_betas_zero_snr": (False,),
    "thresholding": (False,),
}
_OF_SIGMAS: dict[str, Allowed] = {
    **dict.fromkeys(("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"), (False,)),
    "interpolation_type": ("linear",),
    "timestep_type": ("discrete",),
    "final_sigmas_type": ("zero", "sigma_min"),
}
SCHEDULER = Family(
    {
        "DDIMScheduler": Form(
            defaults={**_DDPM, "timestep_spacing": "leading", "set_alpha_to_one": True, "clip_sample": True},
            fixed=_UNALTERED,
        ),
        "PNDMScheduler": Form(
            names={"clip_sample": ()}, defaults={**_DDPM, "timestep_spacing": "leading"}, fixed=_UNALTERED
        ),
        "EulerDiscreteScheduler": Form(
            names={"clip_sample": ()},
            defaults={**_DDPM, "timestep_spacing": "linspace"},
            computed={"set_alpha_to_one": _ends_clean},
            fixed={**_UNALTERED, **_OF_SIGMAS},
        ),
    },
    _KEY,
)
"""Any sampler's file has the noise levels of the training; the sampler of trtnet is DDIM, which is Euler's method."""
