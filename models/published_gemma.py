"""The keys of the published `config.json` of Gemma, Gemma 2 and the text models of Gemma 3, by transformers."""

from collections.abc import Callable
from dataclasses import replace

from trtnet.support.configuration.config_json import Allowed, Document, Family, Form

__all__ = ["GEMMA"]


def _gemma_rope(document: Document, layers: str) -> Document:
    """The rotary positions of a kind of layers: all of them are described together in older files."""
    own = document.get("rope_parameters") or {}
    return own.get(layers) or (own if "rope_type" in own or "rope_theta" in own else {})


def _global_theta(document: Document, default: float) -> object:
    return _gemma_rope(document, "full_attention").get("rope_theta", document.get("rope_theta", default))


def _local_theta(document: Document) -> object:
    return _gemma_rope(document, "sliding_attention").get("rope_theta", document.get("rope_local_base_freq", 10000.0))


def _global_factors(document: Document) -> object:
    rope = _gemma_rope(document, "full_attention") or document.get("rope_scaling") or {}
    return (rope["factor"],) if rope.get("rope_type", rope.get("type")) == "linear" else ()


def _every(period: int) -> Callable[[Document], object]:
    """Each layer of a number attends to all tokens, where the file does not say which."""

    def types(document: Document) -> object:
        every = document.get("sliding_window_pattern", period)
        layers = range(1, document.get("num_hidden_layers", 26) + 1)
        by_place = ["sliding_attention" if i % every else "full_attention" for i in layers]
        return document.get("layer_types") or by_place

    return types


_LINEAR = ("default", "linear")
_GEMMA_7B = {
    "hidden_size": 3072,
    "intermediate_size": 24576,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "vocab_size": 256000,
    "qk_norm": False,
    "norms_after": False,
    "sliding_window": None,
    "layer_types": (),
    "rope_local_theta": None,
    "attention_bias": False,
}
_GEMMA_2B = {
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "sliding_window": 4096,
    "attention_bias": False,
}
_GEMMA_NAMES = {
    **dict.fromkeys(("qk_norm", "norms_after", "mlp_bias", "capacity", "rope_interleaved"), ()),
    "output_bias": ("attention_bias",),
    "rope_theta": ("rope_theta", "rope_parameters"),
    "rope_factors": ("rope_scaling", "rope_parameters"),
}
_GEMMA_FIXED: dict[str, Allowed] = {
    "hidden_activation": (None, "gelu_pytorch_tanh"),
    "use_bidirectional_attention": (None, False),
    **{f"{where}.{name}": _LINEAR for where in ("rope_scaling", "rope_parameters") for name in ("rope_type", "type")},
    "rope_parameters.full_attention.rope_type": _LINEAR,
    "rope_parameters.sliding_attention.rope_type": ("default",),
}
_GEMMA3 = Form(
    names={**_GEMMA_NAMES, "rope_local_theta": ("rope_local_base_freq", "rope_parameters")},
    defaults={**_GEMMA_2B, "vocab_size": 262208},
    computed={
        "rope_theta": lambda document: _global_theta(document, 1000000.0),
        "rope_factors": _global_factors,
        "rope_local_theta": _local_theta,
        "layer_types": _every(6),
    },
    fixed=_GEMMA_FIXED,
)
GEMMA = Family(
    {
        "gemma": Form(
            names={**_GEMMA_NAMES, **dict.fromkeys(
                ("sliding_window", "layer_types", "query_pre_attn_scalar", "rope_local_theta",
                 "attn_logit_softcapping", "final_logit_softcapping"), ())},
            defaults=_GEMMA_7B,
            computed={"rope_theta": lambda document: _global_theta(document, 10000.0), "rope_factors": _global_factors,
                      "query_pre_attn_scalar": lambda document: document.get("head_dim", 256)},
            fixed={**_GEMMA_FIXED, "hidden_act": ("gelu", "gelu_pytorch_tanh")},
        ),
        "gemma2": Form(
            names={**_GEMMA_NAMES, "rope_local_theta": ()},
            defaults={**_GEMMA_2B, "vocab_size": 256000, "qk_norm": False, "rope_local_theta": None,
                      "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
            computed={"rope_theta": lambda document: _global_theta(document, 10000.0), "rope_factors": _global_factors,
                      "layer_types": _every(2)},
            fixed=_GEMMA_FIXED,
        ),
        "gemma3_text": _GEMMA3,
        "gemma3": replace(_GEMMA3, inside="text_config"),
    }
)  # fmt: skip
