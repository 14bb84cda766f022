"""Every family takes its configuration, fields by keyword, or a published config.json; what it cannot be is refused."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from helpers import originals

from trtnet import ModelError, models
from trtnet.models import published
from trtnet.models.bert import BertConfig
from trtnet.models.clip import CLIPConfig, CLIPTextConfig, CLIPVisionConfig
from trtnet.models.denoising import DenoisingConfig
from trtnet.models.gemma import GemmaConfig
from trtnet.models.gpt2 import GPT2Config
from trtnet.models.llama import LlamaConfig
from trtnet.models.phi3 import Phi3Config
from trtnet.models.published_gemma import GEMMA
from trtnet.models.published_phi3 import PHI3
from trtnet.models.qwen2 import Qwen2Config
from trtnet.models.resnet import ResNetConfig
from trtnet.models.stable_diffusion_unet import UNet2DConditionConfig
from trtnet.models.vae_decoder import AutoencoderKLConfig
from trtnet.models.vit import ViTConfig
from trtnet.models.whisper import WhisperConfig

ZOO = json.loads((Path(__file__).parents[1] / "data" / "zoo_parameters.json").read_text())
"""The names and shapes of the zoo's parameters as they were before its factories took configurations, by digest."""

# a small model of each family: fields by keyword
DIFFUSION = {
    "block_out_channels": (16, 32), "norm_num_groups": 4, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "attention_head_dim": (2, 4),
}  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "clip": {
        "hidden_size": 48, "num_attention_heads": 4, "text_hidden_size": 32, "text_num_attention_heads": 4,
        "text_vocab_size": 99, "text_num_hidden_layers": 3, "text_hidden_act": "gelu",
    },
    "clip_text": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99},
    "clip_vit_b_32": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 64},
    "crepe": {"width": 2},
    "crnn": {"num_classes": 7, "hidden_size": 8},
    "efficientnet_lite0": {"num_classes": 7},
    "mobilenet_v2": {"num_classes": 7, "width_mult": 0.25},
    "mtcnn": {"height": 100, "width": 80, "faces": 4},
    "yolo11n": {"num_classes": 7, "width": 0.125, "c3k": True},
    "yolov8n": {"num_classes": 7, "width": 0.125},
    "voice_encoder": {"model_hidden_size": 8, "model_num_layers": 2},
    "pp_ocr_detector": {"channels": (8, 12, 16, 24), "neck_channels": 16},
    "pp_ocr_recognizer": {"num_classes": 11, "dims": 16, "depth": 1},
    "gpt2": {"n_embd": 48, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_inner": 100},
    "lenet": {"num_classes": 7},
    "minilm": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99},
    "qwen2": {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99, "rope_theta": 1e4,
        "capacity": 64,
    },
    "gemma": {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8, "vocab_size": 99,
        "norms_after": False, "final_logit_softcapping": 30.0, "rope_local_theta": None,
    },
    "llama": {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "qk_norm": True, "rope_factors": (2.0,), "sliding_window": 7,
    },
    "phi3": {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "partial_rotary_factor": 0.5, "rope_factors": (1.0, 2.0, 2.0, 2.0), "long_factors": (4.0,) * 4,
        "rope_scale": 1.25,
    },
    **{f"resnet{depth}": {"num_classes": 7} for depth in (18, 34, 50, 101, 152)},
    "silero_vad": {"sampling_rate": 8000},
    "denoising_step": {**DIFFUSION, "prediction_type": "v_prediction"},
    "stable_diffusion_unet": {**DIFFUSION, "use_linear_projection": True},
    "vae_decoder": {"block_out_channels": (8, 16), "norm_num_groups": 4, "layers_per_block": 1},
    "unet": {"n_channels": 3, "softmax": True},
    "vit_b_16": {"image_size": 32, "num_layers": 2, "hidden_dim": 48, "num_heads": 4, "num_classes": 7},
    **{
        name: {"d_model": 48, "encoder_layers": 2, "encoder_attention_heads": 4, "decoder_layers": 2}
        for name in ("whisper_tiny", "whisper_encoder", "whisper_decoder")
    },
}  # fmt: skip

# published files, of which the keys that matter and some of the others are written here; and what they say
CLIP_VISION = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
CLIP_L = {
    "model_type": "clip",
    "projection_dim": 768,
    "logit_scale_init_value": 2.6592,
    "vision_config": {**CLIP_VISION, "patch_size": 14, "hidden_act": "quick_gelu", "dropout": 0.0},
    "text_config": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "hidden_act": "quick_gelu",
        "eos_token_id": 2,
        "vocab_size": 49408,
        "projection_dim": 768,
        "dropout": 0.0,
    },
}
FILES: dict[str, tuple[Callable[..., Any], dict[str, Any], Any]] = {
    "clip-vit-large-patch14": (
        models.clip_vit_b_32, CLIP_L, CLIPVisionConfig(**CLIP_VISION, projection_dim=768, patch_size=14),
    ),
    "clip-vit-large-patch14, texts": (
        models.clip_text, CLIP_L,
        CLIPTextConfig(768, 3072, num_attention_heads=12, projection_dim=768, eos_token_id=2),
    ),
    "clip-vit-large-patch14, both": (
        models.clip, CLIP_L,
        CLIPConfig(
            **CLIP_VISION, projection_dim=768, patch_size=14, text_hidden_size=768, text_intermediate_size=3072,
            text_num_attention_heads=12, text_eos_token_id=2,
        ),
    ),
    "bert-base-uncased": (
        models.minilm,
        {
            "model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_act": "gelu", "hidden_size": 768,
            "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "vocab_size": 30522,
            "position_embedding_type": "absolute", "pad_token_id": 0, "layer_norm_eps": 1e-12,
        },
        BertConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12),
    ),
    "roberta-base": (
        models.minilm,
        {
            "model_type": "roberta", "hidden_act": "gelu", "hidden_size": 768, "intermediate_size": 3072,
            "layer_norm_eps": 1e-05, "max_position_embeddings": 514, "num_attention_heads": 12,
            "num_hidden_layers": 12, "pad_token_id": 1, "type_vocab_size": 1, "vocab_size": 50265,
        },
        BertConfig(50265, 768, 12, 12, 3072, 514, 1, 1e-5, position_offset=2),
    ),
    "distilbert-base-uncased": (
        models.minilm,
        {
            "model_type": "distilbert", "activation": "gelu", "dim": 768, "hidden_dim": 3072, "n_heads": 12,
            "n_layers": 6, "sinusoidal_pos_embds": False, "max_position_embeddings": 512, "vocab_size": 30522,
        },
        BertConfig(hidden_size=768, intermediate_size=3072, type_vocab_size=1, add_pooling_layer=False),
    ),
    "gpt2-medium": (
        models.gpt2,
        {
            "model_type": "gpt2", "activation_function": "gelu_new", "n_ctx": 1024, "n_embd": 1024, "n_head": 16,
            "n_layer": 24, "n_positions": 1024, "resid_pdrop": 0.1, "vocab_size": 50257, "n_special": 0,
        },
        GPT2Config(n_embd=1024, n_head=16, n_layer=24),
    ),
    "Qwen2-1.5B": (
        models.qwen2,
        {
            "model_type": "qwen2", "hidden_act": "silu", "hidden_size": 1536, "intermediate_size": 8960,
            "max_position_embeddings": 131072, "max_window_layers": 28, "num_attention_heads": 12,
            "num_hidden_layers": 28, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
            "sliding_window": 131072, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
            "use_sliding_window": False, "vocab_size": 151936,
        },
        Qwen2Config(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12),
    ),
    "TinyLlama-1.1B": (
        models.qwen2,
        {
            "model_type": "llama", "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 5632,
            "max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 22,
            "num_key_value_heads": 4, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None,
            "tie_word_embeddings": False, "vocab_size": 32000,
        },
        Qwen2Config(32000, 2048, 5632, 22, 32, 4, 1e-5, 10000.0, attention_bias=False, tie_word_embeddings=False),
    ),
    "Llama-3.2-1B": (
        models.llama,
        {
            "model_type": "llama", "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192, "head_dim": 64,
            "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
            "rope_scaling": {
                "factor": 4.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                "original_max_position_embeddings": 8192, "rope_type": "llama3",
            },
            "rope_theta": 10.0, "tie_word_embeddings": True, "vocab_size": 128256,
        },
        # its waves, at most 63 tokens with this theta, are all far below 8192 / 4
        LlamaConfig(128256, 2048, 8192, 16, 32, 8, 1e-5, 10.0, rope_factors=(1.0,) * 32),
    ),
    "Mistral-7B-v0.1": (
        models.llama,
        {
            "model_type": "mistral", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
            "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
            "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": False, "vocab_size": 32000,
        },
        LlamaConfig(
            32000, 4096, 14336, 32, 32, 8, 1e-5, 10000.0, tie_word_embeddings=False, sliding_window=4096,
        ),
    ),
    "Qwen3-0.6B": (
        models.llama,
        {
            "model_type": "qwen3", "attention_bias": False, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
            "intermediate_size": 3072, "max_window_layers": 28, "num_attention_heads": 16, "num_hidden_layers": 28,
            "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000,
            "sliding_window": None, "tie_word_embeddings": True, "use_sliding_window": False, "vocab_size": 151936,
        },
        LlamaConfig(151936, 1024, 3072, 28, 16, 8, 1e-6, 1e6, head_dim=128, qk_norm=True),
    ),
    "gemma-7b": (
        models.gemma,
        {
            "model_type": "gemma", "attention_bias": False, "head_dim": 256, "hidden_act": "gelu",
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 3072, "intermediate_size": 24576,
            "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 16, "rms_norm_eps": 1e-06,
            "rope_scaling": None, "rope_theta": 10000.0, "vocab_size": 256000,
        },
        GemmaConfig(
            256000, 3072, 24576, 28, 16, 16, rope_theta=1e4, qk_norm=False, sliding_window=None, layer_types=(),
            rope_local_theta=None, norms_after=False,
        ),
    ),
    "gemma-2-2b": (
        models.gemma,
        {
            "model_type": "gemma2", "attention_bias": False, "attn_logit_softcapping": 50.0, "cache_implementation":
            "hybrid", "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "intermediate_size": 9216,
            "num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4, "query_pre_attn_scalar": 256,
            "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096, "vocab_size": 256000,
        },
        GemmaConfig(
            256000, 2304, 9216, 26, 8, 4, rope_theta=1e4, qk_norm=False, sliding_window=4096,
            layer_types=("sliding_attention", "full_attention") * 13, rope_local_theta=None,
            attn_logit_softcapping=50.0, final_logit_softcapping=30.0,
        ),
    ),
    "Phi-3-mini-4k-instruct": (
        models.phi3,
        {
            "model_type": "phi3", "attention_bias": False, "hidden_act": "silu", "hidden_size": 3072,
            "intermediate_size": 8192, "max_position_embeddings": 4096, "num_attention_heads": 32,
            "num_hidden_layers": 32, "num_key_value_heads": 32, "original_max_position_embeddings": 4096,
            "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0, "sliding_window": 2047,
            "tie_word_embeddings": False, "vocab_size": 32064,
        },
        Phi3Config(),
    ),
    "Phi-4-mini-instruct": (
        models.phi3,
        {
            "model_type": "phi3", "hidden_size": 3072, "intermediate_size": 8192, "max_position_embeddings": 131072,
            "num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8,
            "original_max_position_embeddings": 4096, "partial_rotary_factor": 0.75, "rms_norm_eps": 1e-05,
            "rope_scaling": {"long_factor": [2] * 48, "short_factor": [1.0] * 48, "type": "longrope"},
            "rope_theta": 10000.0, "sliding_window": 262144, "tie_word_embeddings": True, "vocab_size": 200064,
        },
        Phi3Config(
            200064, 3072, 8192, 32, 24, 8, tie_word_embeddings=True, sliding_window=262144, partial_rotary_factor=0.75,
            rope_factors=(1.0,) * 48, long_factors=(2.0,) * 48, rope_scale=math.sqrt(1 + 5 / 12),  # log 32 / log 4096
        ),
    ),
    "Phi-3 as transformers 5 writes it": (
        models.phi3,
        {
            "model_type": "phi3", "max_position_embeddings": 8192, "sliding_window": 2047,
            "rope_parameters": {
                "long_factor": [2.0] * 48, "original_max_position_embeddings": 2048, "partial_rotary_factor": 1.0,
                "rope_theta": 10000.0, "rope_type": "longrope", "short_factor": [1.0] * 48,
            },
        },
        Phi3Config(
            rope_factors=(1.0,) * 48, long_factors=(2.0,) * 48, original_max_position_embeddings=2048,
            rope_scale=math.sqrt(1 + 2 / 11),  # log 4 / log 2048
        ),
    ),
    "gemma-3-4b-it, which sees images": (
        models.gemma,
        {
            "model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "mm_tokens_per_image": 256,
            "text_config": {
                "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
                "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024,
            },
            "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27},
        },
        GemmaConfig(
            262208, 2560, 10240, 34, 8, 4, rope_factors=(8.0,), sliding_window=1024,
            layer_types=((*5 * ("sliding_attention",), "full_attention") * 6)[:34],
        ),
    ),
    "resnet-18": (
        models.resnet50,
        {
            "model_type": "resnet", "depths": [2, 2, 2, 2], "layer_type": "basic", "hidden_act": "relu",
            "embedding_size": 64, "hidden_sizes": [64, 128, 256, 512], "downsample_in_first_stage": False,
            "id2label": {str(n): f"class {n}" for n in range(1000)},
        },
        ResNetConfig("basic", (2, 2, 2, 2)),
    ),
    "vit-large-patch32-384": (
        models.vit_b_16,
        {
            "model_type": "vit", "hidden_act": "gelu", "hidden_size": 1024, "image_size": 384, "patch_size": 32,
            "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "layer_norm_eps": 1e-12,
            "id2label": {str(n): f"class {n}" for n in range(1000)}, "qkv_bias": True, "num_channels": 3,
        },
        ViTConfig(384, 32, 24, 16, 1024, 4096, layer_norm_eps=1e-12),
    ),
    "stable-diffusion-2-1": (
        models.stable_diffusion_unet,
        {
            "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.10.0.dev0", "act_fn": "silu",
            "attention_head_dim": [5, 10, 20, 20], "block_out_channels": [320, 640, 1280, 1280],
            "center_input_sample": False, "class_embed_type": None, "cross_attention_dim": 1024,
            "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "downsample_padding": 1,
            "dual_cross_attention": False, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
            "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32,
            "num_class_embeds": None, "only_cross_attention": False, "out_channels": 4, "sample_size": 96,
            "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, "use_linear_projection": True,
            "upcast_attention": True,
        },
        UNet2DConditionConfig(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True),
    ),
    "the denoiser of stable-diffusion-v1-5": (
        models.denoising_step,
        {
            "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8,
            "block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "layers_per_block": 2,
        },
        DenoisingConfig(),
    ),
    "the autoencoder of stable-diffusion-v1-5": (
        models.vae_decoder,
        {
            "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
            "down_block_types": ["DownEncoderBlock2D"] * 4, "in_channels": 3, "latent_channels": 4,
            "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "sample_size": 512,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
        },
        AutoencoderKLConfig(),
    ),
    "whisper-base": (
        models.whisper_tiny,
        {
            "model_type": "whisper", "activation_function": "gelu", "d_model": 512, "encoder_layers": 6,
            "encoder_attention_heads": 8, "encoder_ffn_dim": 2048, "decoder_layers": 6, "num_mel_bins": 80,
            "scale_embedding": False, "max_source_positions": 1500, "vocab_size": 51865,
        },
        WhisperConfig(
            d_model=512, encoder_layers=6, encoder_attention_heads=8, encoder_ffn_dim=2048, decoder_layers=6
        ),
    ),
}  # fmt: skip


def rows(model: Any) -> list[str]:
    return [f"{path} {tuple(parameter.shape)}" for path, parameter in model.named_parameters()]


def config_class(factory: Callable[..., Any]) -> type:
    (found,) = (each for each in get_args(get_type_hints(factory)["config"]) if is_dataclass(each))
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The configuration that a factory makes its model of, without the model."""

    def configuration(factory: Callable[..., Any], *arguments: Any, **by_name: Any) -> Any:
        with monkeypatch.context() as patch:
            module = __import__(factory.__module__, fromlist=["_"])
            model = get_type_hints(factory)["return"].__name__
            patch.setattr(module, model, lambda config: config)
            return factory(*arguments, **by_name)

    return configuration


@pytest.mark.parametrize("name", models.__all__)
def test_the_default_is_the_model_that_it_was(name: str) -> None:
    model = getattr(models, name)()
    assert len(rows(model)) == ZOO[name]["parameters"]
    assert hashlib.sha256("\n".join(rows(model)).encode()).hexdigest() == ZOO[name]["sha256"]


@pytest.mark.parametrize("name", models.__all__)
def test_fields_by_keyword_make_the_model_of_that_configuration(name: str, read: Callable[..., Any]) -> None:
    factory, small = getattr(models, name), SMALL[name]
    config = read(factory, **small)
    assert {key: asdict(config)[key] for key in small} == small
    assert asdict(read(factory)) == {**asdict(config), **{key: asdict(read(factory))[key] for key in small}}
    model = factory(**small)
    assert rows(model) == rows(factory(config))
    default = rows(factory())
    assert rows(model) != default or name in ("unet", "mtcnn")


@pytest.mark.parametrize("file", FILES)
def test_a_published_file_is_read(file: str, read: Callable[..., Any], tmp_path: Path) -> None:
    factory, document, wanted = FILES[file]
    (tmp_path / "config.json").write_text(json.dumps(document))
    assert read(factory, document) == wanted
    assert read(factory, tmp_path / "config.json") == wanted
    assert read(factory, str(tmp_path)) == wanted


def test_fields_replace_those_of_a_file(read: Callable[..., Any]) -> None:
    _, document, wanted = FILES["Qwen2-1.5B"]
    config = read(models.qwen2, document, num_hidden_layers=3, capacity=7)
    assert (config.num_hidden_layers, config.capacity, config.hidden_size) == (3, 7, wanted.hidden_size)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "lenet", "silero_vad", "unet"])
def test_a_family_without_published_files_takes_its_own_names(name: str, read: Callable[..., Any]) -> None:
    assert asdict(read(getattr(models, name), SMALL[name])) == asdict(read(getattr(models, name), **SMALL[name]))
    with pytest.raises(ModelError, match=r"has no field 'model_type'; it has .*"):
        read(getattr(models, name), {"model_type": "bert"})


LITE = {1: (1.0, 1.1, 240), 2: (1.1, 1.2, 260), 3: (1.2, 1.4, 280), 4: (1.4, 1.8, 300)}


@pytest.mark.parametrize("number", LITE)
def test_the_other_sizes_of_efficientnet_lite_have_the_shapes_of_timms(number: int) -> None:
    originals.import_torchvision()
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(f"tf_efficientnet_lite{number}")
    width, depth, pixels = LITE[number]
    ours = models.efficientnet_lite0(width_coefficient=width, depth_coefficient=depth, image_size=pixels)
    shapes = [tuple(p.shape) for path, p in ours.named_parameters() if "running" not in path]
    assert shapes == [tuple(p.shape) for p in theirs.parameters()]


# what each family's transformers class has besides, none of which changes inference
HARMLESS = {
    "how a file is called, saved and trained": """
        _name_or_path architectures dtype id2label is_encoder_decoder label2id model_type output_attentions
        output_hidden_states problem_type return_dict transformers_version use_cache bos_token_id eos_token_id
        pad_token_id initializer_range initializer_factor init_std hidden_dropout_prob attention_probs_dropout_prob
        classifier_dropout attention_dropout dropout seq_classif_dropout qa_dropout resid_pdrop embd_pdrop attn_pdrop
        activation_dropout encoder_layerdrop decoder_layerdrop apply_spec_augment mask_time_prob mask_time_length
        mask_time_min_masks mask_feature_prob mask_feature_length mask_feature_min_masks
    """,
    "another way to the same numbers": "chunk_size_feed_forward reorder_and_upcast_attn pretraining_tp",
    "how positions begin; a checkpoint has them": "sinusoidal_pos_embds",
    "of a sliding window, which use_sliding_window turns on": "max_window_layers sliding_window",
    "heads, towers and stages that the family does not have": """
        summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout text_config
        logit_scale_init_value encoder_stride pooler_output_size pooler_act stage_names out_features out_indices
        median_filter_width decoder_start_token_id suppress_tokens begin_suppress_tokens use_weighted_layer_sum
        classifier_proj_size
    """,
}
# of one class only
NOT_READ = {
    "whisper": {"tie_word_embeddings"},
    "bert": {"tie_word_embeddings"}, "roberta": {"tie_word_embeddings"}, "distilbert": {"tie_word_embeddings"},
    # the cache's capacity takes its place
    **{kind: {"max_position_embeddings"} for kind in published.LLAMA.forms | GEMMA.forms},
    "clip": {"vision_config"},
    "gemma3": {"vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index", "image_token_index"},
    "gemma3_text": {"max_position_embeddings", "_sliding_window_pattern"},  # what layer_types were made by
}  # fmt: skip
TYPES = {
    f"{model_type} {factory.__name__}": (factory, model_type, family.forms[model_type])
    for factory, family in (
        (models.minilm, published.BERT), (models.clip_vit_b_32, published.CLIP_VISION),
        (models.clip_text, published.CLIP_TEXT), (models.clip, published.CLIP), (models.gpt2, published.GPT2),
        (models.llama, published.LLAMA), (models.gemma, GEMMA), (models.phi3, PHI3),
        (models.resnet50, published.RESNET), (models.vit_b_16, published.VIT), (models.whisper_tiny, published.WHISPER),
    )
    for model_type in family.forms
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_every_key_of_the_original_is_read_checked_or_changes_nothing(name: str) -> None:
    factory, model_type, form = TYPES[name]
    names = [field.name for field in fields(config_class(factory))]
    known = {key for name in names for key in form.names.get(name, (name,))} | set(form.fixed)
    there = set(transformers().AutoConfig.for_model(model_type).to_dict())
    harmless = set(" ".join(HARMLESS.values()).split()) | NOT_READ.get(model_type, set())
    assert there - {key.partition(".")[0] for key in known} - harmless == set()


@pytest.mark.parametrize("name", TYPES)
def test_missing_keys_mean_what_they_mean_to_the_original(name: str, read: Callable[..., Any]) -> None:
    factory, model_type, _ = TYPES[name]
    theirs = transformers().AutoConfig.for_model(model_type).to_dict()
    theirs = {key: value for key, value in theirs.items() if value is not None}
    nothing, everything = read(factory, {"model_type": model_type}), read(factory, theirs)
    assert nothing == everything


def transformers() -> Any:
    originals.import_torchvision()
    import transformers as library

    return library


REFUSED: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "another activation": (models.minilm, {"model_type": "bert", "hidden_act": "relu"}, "hidden_act is 'relu'.*'gelu'"),
    "of CLIP": (
        models.clip_vit_b_32, {"model_type": "clip", "vision_config": {"hidden_act": "relu"}},
        "vision_config.hidden_act is 'relu'; it must be 'quick_gelu' or 'gelu'",
    ),
    "of CLIP's texts": (
        models.clip, {"model_type": "clip", "text_config": {"hidden_size": 1.5}},
        "text_config.hidden_size is 1.5; it must be an int",
    ),
    "another number of channels": (
        models.clip, {"model_type": "clip", "vision_config": {"num_channels": 1}}, "vision_config.num_channels is 1",
    ),
    "relative positions": (
        models.minilm, {"model_type": "bert", "position_embedding_type": "relative_key"}, "position_embedding_type is",
    ),
    "scaled positions": (
        models.qwen2, {"model_type": "llama", "rope_scaling": {"rope_type": "dynamic", "factor": 8.0}},
        "rope_scaling.rope_type is 'dynamic'.*'linear' or 'llama3'",
    ),
    "scaled positions, in the keys of transformers 5": (
        models.qwen2, {"model_type": "qwen2", "rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}},
        "rope_parameters.rope_type is 'yarn'.*'default'",
    ),
    "scaled positions without their numbers": (
        models.llama, {"model_type": "llama", "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        "rope_factors cannot be computed from what the configuration says: KeyError.'low_freq_factor'",
    ),
    "no heads": (
        models.llama, {"model_type": "llama", "num_attention_heads": 0},
        "head_dim cannot be computed from what the configuration says: ZeroDivisionError",
    ),
    "windows of another kind": (
        models.qwen2, {"model_type": "qwen2", "use_sliding_window": True, "layer_types": ["chunked_attention"]},
        "layer_types is",
    ),
    "another perceptron": (
        models.gemma, {"model_type": "gemma", "hidden_activation": "gelu"},
        "hidden_activation is 'gelu'.*it has 'gelu_pytorch_tanh'",
    ),
    "texts that are no object": (
        models.gemma, {"model_type": "gemma3", "text_config": [1]}, r"text_config is \[1\]; it must be an object",
    ),
    "scaled positions in a window": (
        models.gemma,
        {"model_type": "gemma3_text", "rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2.0}}},
        "rope_parameters.sliding_attention.rope_type is 'linear'.*it has 'default'",
    ),
    "attention to what comes after": (
        models.gemma, {"model_type": "gemma3_text", "use_bidirectional_attention": True}, "use_bidirectional_attention",
    ),
    "long positions without their factors": (
        models.phi3, {"model_type": "phi3", "rope_scaling": {"type": "su", "short_factor": [1.0]}},
        "long_factors cannot be computed from what the configuration says: KeyError.'long_factor'",
    ),
    "heads that are no number": (models.qwen2, {"model_type": "llama", "head_dim": "x"}, "head_dim is 'x'"),
    "rotation of a part": (
        models.llama, {"model_type": "llama", "partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5.*has 1.0",
    ),
    "scores divided by the layer": (
        models.gpt2, {"model_type": "gpt2", "scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx",
    ),
    "another family of diffusers": (
        models.stable_diffusion_unet, {"_class_name": "UNet2DModel"}, "_class_name is 'UNet2DModel'.*'UNet2DCondi",
    ),
    "a text beside the text": (
        models.stable_diffusion_unet, {"_class_name": "UNet2DConditionModel", "addition_embed_type": "text_time"},
        "addition_embed_type is 'text_time', which the model does not compute$",
    ),
    "another block of an autoencoder": (
        models.vae_decoder, {"_class_name": "AutoencoderKL", "up_block_types": ["AttnUpDecoderBlock2D"]},
        r"up_block_types is \['AttnUpDecoderBlock2D'\].*it has 'UpDecoderBlock2D'",
    ),
    "no bias": (models.vit_b_16, {"model_type": "vit", "qkv_bias": False}, "qkv_bias is False.*has True"),
    "channels": (
        models.resnet50, {"model_type": "resnet", "hidden_sizes": [1, 2, 3, 4]}, r"hidden_sizes is \[1.*has \[256",
    ),
    "quantized weights": (
        models.qwen2, {"model_type": "qwen2", "quantization_config": {"bits": 4}}, "quantization_config is {'bits': 4}",
    ),
    "code of its own": (models.qwen2, {"model_type": "qwen2", "auto_map": {"AutoModel": "x.Y"}}, "auto_map is"),
    "another family": (models.qwen2, {"model_type": "mixtral"}, "model_type is 'mixtral'.*'qwen2', 'qwen3'"),
    "no family": (models.vit_b_16, {"hidden_size": 768}, "it has no model_type; known: 'vit'"),
    "a text for a size": (
        models.whisper_tiny, {"model_type": "whisper", "d_model": "384"}, "d_model is '384'; it must be an int",
    ),
    "a key of another name": (
        models.vit_b_16, {"model_type": "vit", "hidden_size": 1.5}, "hidden_size is 1.5; it must be an int",
    ),
    "nothing for a size": (models.gpt2, {"model_type": "gpt2", "n_embd": None}, "n_embd is None; it must be an int"),
    "a size below zero": (models.gpt2, {"model_type": "gpt2", "n_layer": -1}, "n_layer is -1; it must be an int of at"),
    "too few stages": (models.resnet50, {"model_type": "resnet", "depths": [3, 4]}, r"depths is \[3, 4\]; it must be"),
    "another block": (
        models.resnet50, {"model_type": "resnet", "layer_type": "x"}, "layer_type is 'x'; it must be 'basic' or 'bottl",
    ),
    "padding of nothing": (models.minilm, {"model_type": "roberta", "pad_token_id": None}, "position_offset is None"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_family_does_not_compute_is_refused_by_name(what: str, tmp_path: Path) -> None:
    factory, document, message = REFUSED[what]
    with pytest.raises(ModelError, match=f"^the configuration: {message}"):
        factory(document)
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match=f"config.json: {message}"):
        factory(tmp_path / "config.json")


def test_fields_are_refused_as_plainly() -> None:
    with pytest.raises(ModelError, match="Qwen2Config has no field 'num_layers'; did you mean num_hidden_layers"):
        models.qwen2(num_layers=2)
    with pytest.raises(ModelError, match="LeNetConfig has no field 'softmax'; it has num_classes"):
        models.lenet(softmax=True)
    with pytest.raises(ModelError, match="num_hidden_layers is True; it must be an int"):
        models.qwen2(num_hidden_layers=True)
    with pytest.raises(ModelError, match="softmax is 1; it must be True or False"):
        models.unet(softmax=1)
    with pytest.raises(ModelError, match=r"layers is .*; it must be a list of 4: an int"):
        models.resnet50(layers=(1, 2, 3, 4, 5))
    with pytest.raises(ModelError, match=r"the configuration is 10; it takes a ViTConfig, the path of a config.json"):
        models.vit_b_16(10)  # type: ignore[arg-type]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^there is no configuration .*missing.json"):
        models.gpt2(tmp_path / "missing.json")
    with pytest.raises(ModelError, match=r"there is no configuration .*config.json"):
        models.gpt2(tmp_path)
    (tmp_path / "half.json").write_text('{"model_type": "gpt2"')
    with pytest.raises(ModelError, match=r"half.json cannot be read as JSON: Expecting"):
        models.gpt2(tmp_path / "half.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ModelError, match=r"list.json has a list; a configuration is an object of keys"):
        models.gpt2(tmp_path / "list.json")
