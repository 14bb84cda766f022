"""The transformers equal torchvision's and transformers' originals, through the reference executor, and build."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.comparing import relative_l2
from helpers.decoders import caches_of, step

import trtnet
from trtnet import models
from trtnet.models.bert import Bert, BertConfig
from trtnet.models.gpt2 import GPT2, GPT2Config
from trtnet.models.qwen2 import Qwen2, Qwen2Config
from trtnet.models.vit import VisionTransformer, ViTConfig
from trtnet.weights import minilm


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    """Every weight random, biases and norms too, so that each of them matters."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
            parameter.normal_(centre, 0.05, generator=generator)
    return model.eval()


def transformers() -> Any:
    originals.import_torchvision()
    import transformers as library

    return library


def tokens(*shape: int, below: int) -> torch.Tensor:
    return torch.randint(0, below, shape, generator=torch.Generator().manual_seed(sum(shape)))


def run(model: torch.nn.Module, *arguments: Any) -> Any:
    with torch.inference_mode():
        return model(*arguments)


# ViT
@pytest.mark.parametrize("size", ["small", "real"])
def test_vit(size: str) -> None:
    library = originals.import_torchvision().models
    if size == "small":
        ours = VisionTransformer(ViTConfig(32, 8, 2, 3, 48, 96, num_classes=7))
        original = library.VisionTransformer(32, 8, 2, 3, 48, 96, num_classes=7)
    else:
        ours, original = models.vit_b_16(), library.vit_b_16()
    network = trtnet.define(ours, weights=randomized(original))
    pixels = ours.inputs["image"].shape[2]
    for batch in (1, 2):
        x = torch.randn(batch, 3, pixels, pixels)
        assert relative_l2(network.reference()(x), run(original, x)) <= 1e-5
    if size == "real":
        assert network.trt.num_layers <= 460


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_vit_builds(dtype: str) -> None:
    ours = VisionTransformer(ViTConfig(32, 8, 2, 3, 48, 96, num_classes=7))
    original = randomized(originals.import_torchvision().models.VisionTransformer(32, 8, 2, 3, 48, 96, num_classes=7))
    network = trtnet.define(ours, weights=original, dtype=dtype)
    network.build({"batch": (1, 2, 8)})
    x = torch.randn(2, 3, 32, 32)
    found = network.reference()(x.to(getattr(torch, dtype)))
    assert relative_l2(found, run(original, x)) <= {"float32": 1e-5, "float16": 1e-2, "bfloat16": 6e-2}[dtype]


# BERT
SMALL_BERT = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}


def test_bert() -> None:
    sizes = SMALL_BERT | {"vocab_size": 99, "layer_norm_eps": 1e-5}
    original = randomized(transformers().BertModel(transformers().BertConfig(**sizes)))
    network = trtnet.define(Bert(BertConfig(**sizes)), weights=original)
    for length in (1, 11):
        ids, kinds = tokens(3, length, below=99), tokens(3, length, below=2)
        mask = torch.ones_like(ids)
        mask[1, length // 2 + 1 :] = 0
        found = network.reference()(ids, mask, kinds)
        wanted = run(original, ids, mask, kinds)
        assert relative_l2(found["pooler_output"], wanted.pooler_output) <= 1e-5
        kept = mask.bool()
        assert relative_l2(found["last_hidden_state"][kept], wanted.last_hidden_state[kept]) <= 1e-5
    network.build({"batch": (1, 2, 8), "length": (1, 16, 64)})


PAIRS = [
    ("A cat sleeps on the warm windowsill.", "The kitten is napping by the sunny window."),
    ("The central bank raised interest rates again.", "Borrowing became more expensive after the rate decision."),
    ("She plays the violin in the city orchestra.", "A musician performs with a symphony."),
    ("How do I reset my password?", "I forgot my login and need to recover my account."),
]


def test_minilm_with_the_real_weights_finds_the_right_sentences() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm.tokenizer()))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch([sentence for pair in PAIRS for sentence in pair])
    fields = "ids", "attention_mask", "type_ids"
    inputs = [torch.tensor([getattr(one, field) for one in encoded]) for field in fields]
    network = trtnet.define(models.minilm(), weights=minilm.safetensors())
    found = network.reference()(*inputs)
    wanted = sentence_embeddings(*inputs)
    assert float(torch.nn.functional.cosine_similarity(found, wanted).min()) >= 0.99999
    nearest = (found @ found.T - 2 * torch.eye(len(found))).argmax(1)
    assert nearest.tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    network.build({"batch": (1, 8, 32), "length": (1, 32, 128)})


def sentence_embeddings(ids: torch.Tensor, mask: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """transformers' BertModel, then the mean of the tokens, normalized."""
    from safetensors.torch import load_file

    original = transformers().BertModel(transformers().BertConfig(**vars(BertConfig())))
    state = {k: v for k, v in load_file(minilm.safetensors()).items() if not k.endswith("position_ids")}
    original.load_state_dict(state)
    hidden = run(original.eval(), ids, mask, kinds).last_hidden_state
    present = mask.unsqueeze(-1).float()
    return torch.nn.functional.normalize((hidden * present).sum(1) / present.sum(1), dim=-1)


# GPT-2
@pytest.mark.parametrize("size", ["small", "real"])
def test_gpt2(size: str) -> None:
    small = {"vocab_size": 99, "n_positions": 32, "n_embd": 48, "n_layer": 2, "n_head": 4}
    sizes = small if size == "small" else {}
    config = GPT2Config(**sizes)
    original = randomized(transformers().GPT2LMHeadModel(transformers().GPT2Config(**sizes)))
    network = trtnet.define(GPT2(config), weights=original)
    for length in (1, 9):
        ids = tokens(2, length, below=config.vocab_size)
        assert relative_l2(network.reference()(ids), run(original, ids).logits) <= 1e-5
    if size == "small":
        network.build({"batch": (1, 2, 8), "length": (1, 16, 32)})


# Qwen2
SMALL_QWEN2 = {
    "vocab_size": 99, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip


def qwen2(sizes: dict[str, int], dtype: str = "float32") -> tuple[Any, torch.nn.Module]:
    rope = {"rope_theta": 1000000.0, "rope_type": "default"}
    config = transformers().Qwen2Config(**sizes, tie_word_embeddings=True, rope_parameters=rope)
    original = randomized(transformers().Qwen2ForCausalLM(config))
    ours = Qwen2(Qwen2Config(**sizes, capacity=32))
    return trtnet.define(ours, weights=original, dtype=dtype), original


REAL_WIDTH = {"vocab_size": 5000, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 2,
              "num_attention_heads": 14, "num_key_value_heads": 2}  # fmt: skip


@pytest.mark.parametrize("sizes", [SMALL_QWEN2, REAL_WIDTH], ids=["small", "real width"])
def test_decoding_after_a_prefill_gives_the_logits_of_the_full_sequence(sizes: dict[str, int]) -> None:
    network, original = qwen2(sizes)
    reference, caches = network.reference(), caches_of(network, 2)
    ids = tokens(2, 9, below=sizes["vocab_size"])
    full = run(original, ids).logits
    assert relative_l2(step(reference, ids[:, :5], [0, 0], caches), full[:, :5]) <= 1e-5
    for position in range(5, 9):
        logits = step(reference, ids[:, position : position + 1], [position] * 2, caches)
        assert relative_l2(logits[:, 0], full[:, position]) <= 1e-5


def test_sequences_of_a_batch_may_hold_different_numbers_of_tokens() -> None:
    network, original = qwen2(SMALL_QWEN2)
    reference, caches = network.reference(), caches_of(network, 2)
    first, second = tokens(1, 6, below=99), tokens(1, 3, below=99)
    prompt = torch.cat([first[:, :5], torch.nn.functional.pad(second[:, :2], (0, 3))])
    step(reference, prompt, [0, 0], caches)
    logits = step(reference, torch.stack([first[0, 5:], second[0, 2:]]), [5, 2], caches)
    for row, whole in enumerate((first, second)):
        assert relative_l2(logits[row, 0], run(original, whole).logits[0, -1]) <= 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_qwen2_builds_with_a_profile_for_prefill_and_one_for_decoding(dtype: str) -> None:
    network, _ = qwen2(SMALL_QWEN2, dtype)
    plan = network.build([{"batch": (1, 2, 8), "length": (1, 8, 16)}, {"batch": (1, 2, 8), "length": 1}]).plan
    assert np.array([p["input_ids"][2] for p in plan.info.profiles]).tolist() == [[8, 16], [8, 1]]
