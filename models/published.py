"""The keys of each family's published `config.json`, as transformers writes them.

Keys that change nothing in inference (dropout, initial values, ids of tokens, names of labels) are not here.
"""

from typing import Any

import numpy as np

from trtnet.support.configuration.config_json import Allowed, Document, Family, Form, Source

__all__ = [
    "BERT",
    "CLIP",
    "CLIP_TEXT",
    "CLIP_VISION",
    "GPT2",
    "LLAMA",
    "OWN_NAMES",
    "RESNET",
    "VIT",
    "WHISPER",
    "Family",
    "Source",
    "key_heads",
]


def _labels(document: Document) -> object:
    """How many classes a classifier has: two where the file names none."""
    return document.get("num_labels", len(document.get("id2label") or (0, 1)))


def _after_padding(document: Document) -> object:
    """RoBERTa's first position is the one after the padding token's id."""
    padding = document.get("pad_token_id", 1)
    return padding + 1 if isinstance(padding, int) else padding


OWN_NAMES = Family()
"""For families without a published configuration."""

_ENCODER = {"is_decoder": (False,), "add_cross_attention": (False,), "position_embedding_type": ("absolute",)}
_BERT_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072}
_ROBERTA = Form(
    defaults={**_BERT_BASE, "vocab_size": 50265},
    computed={"position_offset": _after_padding},
    fixed={**_ENCODER, "hidden_act": ("gelu",)},
)
BERT = Family(
    {
        "bert": Form(defaults=_BERT_BASE, fixed={**_ENCODER, "hidden_act": ("gelu",)}),
        "roberta": _ROBERTA,
        "distilbert": Form(
            names={
                "hidden_size": ("dim",),
                "num_hidden_layers": ("n_layers",),
                "num_attention_heads": ("n_heads",),
                "intermediate_size": ("hidden_dim",),
            },
            defaults={**_BERT_BASE, "num_hidden_layers": 6, "type_vocab_size": 1, "add_pooling_layer": False},
            fixed={"activation": ("gelu",)},
        ),
    }
)

_CLIP_TOWER = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "layer_norm_eps", "hidden_act",
)  # fmt: skip
_CLIP_OF_TEXT = ("vocab_size", "max_position_embeddings", "eos_token_id")
_CLIP_VISION = {name: (f"vision_config.{name}",) for name in (*_CLIP_TOWER, "image_size", "patch_size")}
_CLIP_CHANNELS = {"vision_config.num_channels": (3,)}
CLIP_VISION = Family(
    {
        "clip_vision_model": Form(fixed={"num_channels": (3,)}),
        "clip": Form(names=_CLIP_VISION, fixed=_CLIP_CHANNELS),
    }
)
CLIP_TEXT = Family(
    {
        "clip_text_model": Form(),
        "clip": Form(names={name: (f"text_config.{name}",) for name in (*_CLIP_TOWER, *_CLIP_OF_TEXT)}),
    }
)
CLIP = Family(
    {
        "clip": Form(
            names={
                **_CLIP_VISION,
                **{f"text_{name}": (f"text_config.{name}",) for name in (*_CLIP_TOWER, *_CLIP_OF_TEXT)},
            },
            fixed=_CLIP_CHANNELS,
        )
    }
)

GPT2 = Family(
    {
        "gpt2": Form(
            fixed={
                "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
                "scale_attn_weights": (True,),
                "scale_attn_by_inverse_layer_idx": (False,),
                "add_cross_attention": (False,),
                "tie_word_embeddings": (True,),
            }
        )
    }
)


def key_heads(document: Document) -> object:
    """As many heads of keys as of queries where the file has none."""
    return document.get("num_key_value_heads") or document.get("num_attention_heads", 32)


def _head_dim(document: Document) -> Any:
    """None for heads that share the hidden size."""
    own = document.get("head_dim", 128 if document.get("model_type") == "qwen3" else None)
    return None if own == document.get("hidden_size", 4096) // document.get("num_attention_heads", 32) else own


def _rope_factors(document: Document) -> object:
    """What frequencies are divided by: "linear" (all by one number), "llama3" (long waves, gradually)."""
    rope = document.get("rope_parameters") or document.get("rope_scaling") or {}
    kind, factor = rope.get("rope_type", rope.get("type")), rope.get("factor", 1.0)
    if kind != "llama3":
        return (factor,) if kind == "linear" else ()
    theta = document.get("rope_theta", rope.get("rope_theta", 10000.0))
    width = _head_dim(document) or document.get("hidden_size", 4096) // document.get("num_attention_heads", 32)
    low, high, length = (rope[key] for key in _LLAMA3)
    waves = 2 * np.pi * theta ** (np.arange(0, width, 2) / width)
    kept = np.clip((length / waves - low) / (high - low), 0, 1)
    return tuple((1 / ((1 - kept) / factor + kept)).tolist())


def _window(document: Document) -> object:
    """The window of Qwen2 and Qwen3, which use_sliding_window turns on."""
    return document.get("sliding_window", 4096) if document.get("use_sliding_window") else None


def _layer_types(document: Document) -> object:
    """Which layers have the window; those from max_window_layers on where the file does not say."""
    if not document.get("use_sliding_window"):
        return ()
    first, layers = document.get("max_window_layers", 28), document.get("num_hidden_layers", 32)
    by_place = ["sliding_attention" if i >= first else "full_attention" for i in range(layers)]
    return document.get("layer_types") or by_place


_LLAMA3 = ("low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
_ROPES = ("default", "linear", "llama3")
_DECODER: dict[str, Allowed] = {
    "hidden_act": ("silu",),
    "rope_scaling.rope_type": _ROPES,
    "rope_scaling.type": _ROPES,
    "rope_parameters.rope_type": _ROPES,
    "rope_parameters.full_attention": (),
    "rope_parameters.sliding_attention": (),
    "partial_rotary_factor": (1.0,),
    "rope_parameters.partial_rotary_factor": (1.0,),
}
_UNNAMED = (
    "attention_bias", "output_bias", "mlp_bias", "qk_norm", "sliding_window", "layer_types", "capacity",
    "rope_interleaved",
)  # fmt: skip
_DECODER_NAMES = {
    **dict.fromkeys(_UNNAMED, ()),
    "rope_theta": ("rope_theta", "rope_parameters.rope_theta"),
    "rope_factors": ("rope_scaling", "rope_parameters"),
}
_SWITCHED_WINDOW = {"sliding_window": ("sliding_window",), "layer_types": ("layer_types", "max_window_layers")}
_7B = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "attention_bias": False,
    "tie_word_embeddings": False,
}
_OF_HEADS = {"num_key_value_heads": key_heads, "head_dim": _head_dim, "rope_factors": _rope_factors}
_OF_WINDOWS = {"sliding_window": _window, "layer_types": _layer_types}
LLAMA = Family(
    {
        "qwen2": Form(
            names={**_DECODER_NAMES, **_SWITCHED_WINDOW},
            defaults={**_7B, "vocab_size": 151936, "intermediate_size": 22016, "attention_bias": True},
            computed={**_OF_HEADS, **_OF_WINDOWS},
            fixed={**_DECODER, "use_sliding_window": (False, True)},
        ),
        "llama": Form(
            names={**_DECODER_NAMES, "attention_bias": ("attention_bias",), "output_bias": ("attention_bias",),
                   "mlp_bias": ("mlp_bias",)},
            defaults={**_7B, "vocab_size": 32000, "intermediate_size": 11008},
            computed=_OF_HEADS,
            fixed=_DECODER,
        ),
        "mistral": Form(
            names={**_DECODER_NAMES, "sliding_window": ("sliding_window",)},
            defaults={**_7B, "vocab_size": 32000, "intermediate_size": 14336, "sliding_window": 4096},
            computed={**_OF_HEADS, "num_key_value_heads": lambda document: document.get("num_key_value_heads", 8)},
            fixed=_DECODER,
        ),
        "qwen3": Form(
            names={**_DECODER_NAMES, "attention_bias": ("attention_bias",), "output_bias": ("attention_bias",),
                   **_SWITCHED_WINDOW},
            defaults={**_7B, "vocab_size": 151936, "intermediate_size": 22016, "qk_norm": True},
            computed={**_OF_HEADS, **_OF_WINDOWS},
            fixed={**_DECODER, "use_sliding_window": (False, True)},
        ),
    }
)  # fmt: skip

RESNET = Family(
    {
        "resnet": Form(
            names={"block": ("layer_type",), "layers": ("depths",)},
            defaults={"block": "bottleneck", "layers": (3, 4, 6, 3)},
            computed={"num_classes": _labels},
            fixed={
                "hidden_act": ("relu",),
                "num_channels": (3,),
                "embedding_size": (64,),
                "hidden_sizes": lambda config: (list(config.hidden_sizes),),
                "downsample_in_first_stage": (False,),
                "downsample_in_bottleneck": (False,),
            },
        )
    }
)

VIT = Family(
    {
        "vit": Form(
            names={
                "num_layers": ("num_hidden_layers",),
                "num_heads": ("num_attention_heads",),
                "hidden_dim": ("hidden_size",),
                "mlp_dim": ("intermediate_size",),
            },
            defaults={"layer_norm_eps": 1e-12},
            computed={"num_classes": _labels},
            fixed={"hidden_act": ("gelu",), "num_channels": (3,), "qkv_bias": (True,)},
        )
    }
)

WHISPER = Family({"whisper": Form(fixed={"activation_function": ("gelu",), "scale_embedding": (False,)})})
