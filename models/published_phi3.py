"""The keys of the published `config.json` of Phi-3, by transformers."""

import math
from collections.abc import Callable

from trtnet.models.published import key_heads
from trtnet.support.configuration.config_json import Document, Family, Form

__all__ = ["PHI3"]

_LONG = ("longrope", "su", "yarn")
"""Names of LongRoPE: older files have the others."""


def _rope(document: Document) -> Document:
    """What the file says of LongRoPE; nothing where positions are as they are."""
    rope = document.get("rope_parameters") or document.get("rope_scaling") or {}
    return rope if rope.get("rope_type", rope.get("type")) in _LONG else {}


def _factors(key: str) -> Callable[[Document], object]:
    return lambda document: _rope(document)[key] if _rope(document) else ()


def _trained(document: Document) -> int:
    """Positions that the short factors are for: newer files have the number beside the factors."""
    key = "original_max_position_embeddings"
    return int(_rope(document).get(key) or document.get(key, 4096))


def _scale(document: Document) -> object:
    """sqrt(1 + log(factor) / log(trained positions)), of Ding et al., 2024, where the file has no other number."""
    rope, trained = _rope(document), _trained(document)
    factor = rope.get("factor") or document.get("max_position_embeddings", 4096) / trained
    unsaid = math.sqrt(1 + math.log(factor) / math.log(trained)) if rope and factor > 1 else 1.0
    return rope.get("attention_factor") or unsaid


_UNNAMED = (
    "attention_bias", "output_bias", "mlp_bias", "qk_norm", "layer_types", "capacity", "rope_interleaved", "head_dim",
)  # fmt: skip
_ROPES = ("default", *_LONG)
PHI3 = Family(
    {
        "phi3": Form(
            names={
                **dict.fromkeys(_UNNAMED, ()),
                "rope_theta": ("rope_theta", "rope_parameters.rope_theta"),
                "partial_rotary_factor": ("partial_rotary_factor", "rope_parameters.partial_rotary_factor"),
                **dict.fromkeys(("rope_factors", "long_factors"), ("rope_scaling", "rope_parameters")),
                "original_max_position_embeddings": ("original_max_position_embeddings", "rope_parameters"),
                "rope_scale": ("rope_scaling", "rope_parameters", "max_position_embeddings"),
            },
            defaults={"sliding_window": None},
            computed={
                "num_key_value_heads": key_heads,
                "rope_factors": _factors("short_factor"),
                "long_factors": _factors("long_factor"),
                "original_max_position_embeddings": _trained,
                "rope_scale": _scale,
            },
            fixed={
                "hidden_act": ("silu",),
                **{f"{where}.{name}": _ROPES for where in ("rope_scaling", "rope_parameters")
                   for name in ("rope_type", "type")},
            },
        )
    }
)  # fmt: skip
