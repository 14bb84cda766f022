"""Every family's rules: a random original loads strictly, computes the same, and comes back bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers import clips, originals
from helpers.comparing import relative_l2
from helpers.silero import SileroVAD

import trtnet
from trtnet import models
from trtnet.models.bert import Bert, BertConfig
from trtnet.models.clip import CLIPVision, CLIPVisionConfig
from trtnet.models.gpt2 import GPT2, GPT2Config
from trtnet.models.qwen2 import Qwen2, Qwen2Config
from trtnet.models.vit import VisionTransformer, ViTConfig
from trtnet.models.whisper import Whisper, WhisperConfig
from trtnet.support.call_interface import NamedOutputs
from trtnet.support.errors import CheckpointError
from trtnet.weights import detect, families, rules

SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
BERT = BertConfig(vocab_size=50, max_position_embeddings=34, **SIZES)
TOKENS = torch.randint(3, 50, (2, 7), generator=torch.Generator().manual_seed(0))
IMAGE = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
Run = Callable[[torch.nn.Module], torch.Tensor]


def library(name: str) -> Any:
    originals.import_torchvision()
    import timm
    import transformers

    return {"transformers": transformers, "timm": timm}[name]


def hf(kind: str, **options: Any) -> torch.nn.Module:
    transformers = library("transformers")
    config = getattr(transformers, f"{kind.partition('For')[0].partition('Model')[0].replace('LMHead', '')}Config")
    return getattr(transformers, kind)(config(**options))


def bert(config: BertConfig = BERT, **changes: Any) -> Any:
    return lambda: Bert(BertConfig(**{**config.__dict__, **changes}))


TEXT = {"vocab_size": 50, "max_position_embeddings": 34, **SIZES}
DISTIL = {"vocab_size": 50, "max_position_embeddings": 34, "dim": 48, "n_layers": 2, "n_heads": 4, "hidden_dim": 96}
VIT = {"layer_norm_eps": 1e-6, **SIZES}
LLAMA = {"vocab_size": 50, "num_key_value_heads": 2, **SIZES}


class SentenceTransformer(torch.nn.ModuleList):
    """sentence-transformers' tree: the transformer under 0.auto_model."""

    def __init__(self) -> None:
        first = torch.nn.Module()
        first.auto_model = hf("BertModel", **TEXT)
        super().__init__([first])


def decoder(config: Any) -> Any:
    return lambda: Qwen2(Qwen2Config(**LLAMA, capacity=16, rope_theta=10000.0, rms_norm_eps=1e-6, **config))


def hidden(model: torch.nn.Module) -> torch.Tensor:
    return model(TOKENS).last_hidden_state


def logits(model: torch.nn.Module) -> torch.Tensor:
    return model(TOKENS).logits


def text_inputs(network: Any) -> dict[str, torch.Tensor]:
    given = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS), "token_type_ids": torch.zeros_like(TOKENS)}
    return {info.name: given[info.name] for info in network.reference().inputs}


def decoder_inputs(network: Any) -> dict[str, torch.Tensor]:
    names = [info.name for info in network.reference().inputs if info.name.startswith(("key_", "value_"))]
    caches = {name: torch.zeros(2, 2, 16, 12) for name in names}
    return {"input_ids": TOKENS, "write_indices": torch.zeros(2, dtype=torch.int32), **caches}


CLIP_OF_48 = {
    **SIZES, **{f"text_{name}": size for name, size in SIZES.items()}, "image_size": 32, "patch_size": 8,
    "projection_dim": 20, "text_vocab_size": 50, "text_max_position_embeddings": 34, "text_eos_token_id": 2,
}  # fmt: skip


def clip_inputs(network: Any) -> dict[str, torch.Tensor]:
    return {"image": IMAGE, "input_ids": TOKENS}


def image_inputs(network: Any) -> dict[str, torch.Tensor]:
    return {"image": IMAGE}


def vad_inputs(network: Any) -> dict[str, torch.Tensor]:
    """Without the mask of the streams, which only our network has."""
    inputs = {"chunk": torch.cos(torch.arange(1024.0) ** 1.5).reshape(2, 512), "context": torch.ones(2, 64)}
    states = {name: torch.full((2, 128), 0.1) for name in ("hidden", "cell")}
    return inputs | states | ({} if network is None else {"active": torch.ones(2, dtype=torch.bool)})


# family: (the original, the zoo's model, what the original computes, which output of ours that is, our inputs)
FAMILIES: dict[str, tuple[Callable[[], torch.nn.Module], Callable[[], Any], Run, str, Callable[[Any], Any]]] = {
    "bert": (lambda: hf("BertModel", **TEXT), bert(), hidden, "last_hidden_state", text_inputs),
    "sentence_transformers": (
        SentenceTransformer, bert(), lambda m: hidden(m[0].auto_model), "last_hidden_state", text_inputs,
    ),
    "roberta": (
        lambda: hf("RobertaForMaskedLM", **TEXT, type_vocab_size=1),
        bert(position_offset=2, type_vocab_size=1, add_pooling_layer=False),
        lambda m: hidden(m.roberta), "last_hidden_state", text_inputs,
    ),
    "distilbert": (
        lambda: hf("DistilBertModel", **DISTIL),
        bert(type_vocab_size=1, add_pooling_layer=False), hidden, "last_hidden_state", text_inputs,
    ),
    "gpt2": (
        lambda: hf("GPT2LMHeadModel", vocab_size=50, n_embd=48, n_layer=2, n_head=4, n_positions=32),
        lambda: GPT2(GPT2Config(50, 32, 48, 2, 4)), logits, "output", text_inputs,
    ),
    "llama": (
        lambda: hf("LlamaForCausalLM", **LLAMA, rms_norm_eps=1e-6),
        decoder({"attention_bias": False, "tie_word_embeddings": False}), logits, "logits", decoder_inputs,
    ),
    "vit": (
        lambda: hf("ViTForImageClassification", image_size=32, patch_size=8, num_labels=7, **VIT),
        lambda: VisionTransformer(ViTConfig(32, 8, 2, 4, 48, 96, num_classes=7)), lambda m: m(IMAGE).logits, "output",
        image_inputs,
    ),
    "timm": (
        lambda: library("timm").create_model(
            "vit_base_patch16_224", img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=4, num_classes=7
        ),
        lambda: VisionTransformer(ViTConfig(32, 8, 2, 4, 48, 192, num_classes=7)), lambda m: m(IMAGE), "output",
        image_inputs,
    ),
    "torchvision": (
        lambda: originals.resnet("resnet18"), models.resnet18, lambda m: m(IMAGE.repeat(1, 1, 7, 7)), "output",
        lambda n: {"image": IMAGE.repeat(1, 1, 7, 7)},
    ),
    "efficientnet_lite": (
        originals.efficientnet_lite0, models.efficientnet_lite0, lambda m: m(IMAGE.repeat(1, 1, 7, 7)), "output",
        lambda n: {"image": IMAGE.repeat(1, 1, 7, 7)},
    ),
    "clip": (
        lambda: hf("CLIPVisionModelWithProjection", image_size=32, patch_size=8, projection_dim=20, **SIZES),
        lambda: CLIPVision(CLIPVisionConfig(48, 96, 20, 2, 4, image_size=32, patch_size=8)),
        lambda m: m(IMAGE).image_embeds, "image_embeds", image_inputs,
    ),
    "clip_text": (
        lambda: hf(
            "CLIPModel", projection_dim=20, text_config={**TEXT, "eos_token_id": 2},
            vision_config={**SIZES, "image_size": 32, "patch_size": 8},
        ),
        lambda: models.clip(**CLIP_OF_48), lambda m: m(TOKENS, IMAGE).logits_per_image, "logits_per_image", clip_inputs,
    ),
    "open_clip": (
        lambda: clips.CLIP(48, 4, 96, 2, 32, 8, 20, 50), lambda: models.clip(**CLIP_OF_48), lambda m: m(IMAGE, TOKENS),
        "logits_per_image", clip_inputs,
    ),
    "whisper": (
        lambda: hf(
            "WhisperModel", vocab_size=60, d_model=48, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
            decoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=96, max_source_positions=20, pad_token_id=0,
            bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        ),
        lambda: Whisper(WhisperConfig(80, 48, 2, 4, 96, 20)),
        lambda m: m.encoder(torch.ones(2, 80, 40)).last_hidden_state, "last_hidden_state",
        lambda n: {"input_features": torch.ones(2, 80, 40)},
    ),
    "silero_vad": (
        SileroVAD, models.silero_vad, lambda m: m(*vad_inputs(None).values())[0], "probability", vad_inputs,
    ),
}  # fmt: skip


def original(family: str) -> torch.nn.Module:
    """Random in every weight, biases too."""
    torch.manual_seed(0)
    model = FAMILIES[family][0]().eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.normal_(0.0, 0.1).add_(1.0 if value.ndim == 1 and "var" in name else 0.0).abs_()
    return model


def test_there_is_a_test_for_every_family() -> None:
    of_files = ["gguf_gemma", "gguf_llama", "gguf_phi3", "ctranslate2_whisper", "whisper_text"]  # tests/generation/
    of_images = ["denoising", "vae_decoder"]  # tests/models/test_diffusion.py
    assert sorted([*FAMILIES, *of_files, *of_images]) == families()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_loads_strictly_and_computes_the_same(family: str) -> None:
    _, ours, run, output, inputs = FAMILIES[family]
    model = original(family)
    network = trtnet.define(ours(), weights=rules(family).apply(model))
    found = network.reference()(**inputs(network))
    with torch.inference_mode():
        assert relative_l2(found[output] if isinstance(found, NamedOutputs) else found, run(model)) <= 1e-5
    network.build(dict.fromkeys(network.dims, (1, 2, 8)))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_round_trip_is_bit_exact(family: str) -> None:
    state = original(family).state_dict()
    back = rules(family).inverse().apply(rules(family).apply(state))
    assert len(back) > 5 and set(back) <= set(state)
    lost = {key for key in set(state) - set(back) if "decoder" not in key and "lm_head" not in key}
    assert not {key for key in lost if not key.endswith("num_batches_tracked")}
    for key in back:
        np.testing.assert_array_equal(back[key], state[key].numpy(), strict=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_family_is_detected(family: str) -> None:
    assert detect(original(family)).family == family


def test_an_unknown_checkpoint_has_no_family() -> None:
    assert detect({"w": np.zeros(2, np.float32)}).family is None
    with pytest.raises(CheckpointError, match="there are no rules for 'bret'; there are bert, "):
        rules("bret")


def test_older_names_of_the_same_family() -> None:
    state = original("vit").state_dict()
    older = {}
    for key, value in state.items():
        name = key.replace("vit.layers.", "vit.encoder.layer.")
        for new, old in (("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value")):
            name = name.replace(f"attention.{new}", f"attention.attention.{old}")
        name = name.replace("attention.o_proj", "attention.output.dense").replace("mlp.fc1", "intermediate.dense")
        older[name.replace("mlp.fc2", "output.dense")] = value
    assert older.keys() != state.keys()
    new, old = rules("vit").apply(state), rules("vit").apply(older)
    assert set(new) == set(old) and new.digest() == old.digest()
    oldest = {key.replace("LayerNorm.weight", "LayerNorm.gamma"): v for key, v in original("bert").state_dict().items()}
    assert rules("bert").apply(oldest).digest() == rules("bert").apply(original("bert")).digest()


def test_a_family_refuses_a_checkpoint_of_another() -> None:
    with pytest.raises(CheckpointError, match=r"rule 6 \(rename\) of vit: no key matches .*; nearest: "):
        rules("vit").apply(original("timm"))


def test_gpt2_as_it_is_published() -> None:
    state = {
        key.removeprefix("transformer."): v for key, v in original("gpt2").state_dict().items() if "lm_head" not in key
    }
    state["h.0.attn.bias"] = torch.ones(1, 1, 32, 32)
    network = trtnet.define(GPT2(GPT2Config(50, 32, 48, 2, 4)), weights=rules("gpt2").apply(state))
    np.testing.assert_allclose(network.reference()(TOKENS), logits(original("gpt2")).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["Qwen2ForCausalLM", "MistralForCausalLM"])
def test_the_other_decoders_of_the_llama_family(kind: str) -> None:
    torch.manual_seed(0)
    model = hf(kind, **LLAMA, rms_norm_eps=1e-6, tie_word_embeddings=True).eval()
    assert detect(model).family == "llama"
    network = trtnet.define(
        decoder({"attention_bias": kind.startswith("Qwen2")})(), weights=rules("llama").apply(model)
    )
    with torch.inference_mode():
        assert relative_l2(network.reference()(**decoder_inputs(network))["logits"], logits(model)) <= 1e-5
