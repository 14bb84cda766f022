"""The keys of each family's published `config.json`, as transformers writes them.

Keys that change nothing in inference (dropout, initial values, ids of tokens, names of labels) are not here.
"""

from trtnet.support.configuration.config_json import Allowed, Document, Family, Form, Source

__all__ = ["BERT", "CLIP", "GPT2", "OWN_NAMES", "QWEN2", "RESNET", "VIT", "WHISPER", "Family", "Source"]


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

_CLIP_FIXED = {"hidden_act": ("quick_gelu",), "num_channels": (3,)}
_CLIP_PART = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size",
    "layer_norm_eps",
)  # fmt: skip
CLIP = Family(
    {
        "clip_vision_model": Form(fixed=_CLIP_FIXED),
        "clip": Form(
            names={name: (f"vision_config.{name}",) for name in _CLIP_PART},
            fixed={f"vision_config.{key}": values for key, values in _CLIP_FIXED.items()},
        ),
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


def _key_heads(document: Document) -> object:
    """As many heads of keys as of queries where the file has none."""
    return document.get("num_key_value_heads") or document.get("num_attention_heads", 32)


_DECODER: dict[str, Allowed] = {
    "hidden_act": ("silu",),
    "head_dim": lambda config: (config.head_dim, None),
    "rope_scaling": (None, {"rope_type": "default"}),
    "rope_parameters.rope_type": ("default",),
    "rope_parameters.full_attention": (),
    "rope_parameters.sliding_attention": (),
}
_DECODER_NAMES = {"rope_theta": ("rope_theta", "rope_parameters.rope_theta"), "capacity": ()}
_7B = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "rope_theta": 10000.0,
    "attention_bias": False,
    "tie_word_embeddings": False,
}
QWEN2 = Family(
    {
        "qwen2": Form(
            names={**_DECODER_NAMES, "attention_bias": ()},
            defaults={**_7B, "intermediate_size": 22016, "attention_bias": True},
            computed={"num_key_value_heads": _key_heads},
            fixed={**_DECODER, "use_sliding_window": (False,), "layer_types": ("full_attention",)},
        ),
        "llama": Form(
            names=_DECODER_NAMES,
            defaults={**_7B, "vocab_size": 32000, "intermediate_size": 11008},
            computed={"num_key_value_heads": _key_heads},
            fixed={**_DECODER, "mlp_bias": (False,)},
        ),
    }
)

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
