"""The published models that benchmarks run: as their libraries make them, with random weights."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from helpers import originals
from helpers.definition.published import flat, randomize

import trtnet
from trtnet import models
from trtnet.graph.forms import FormChoices
from trtnet.weights import rules

IMAGES = (
    "torchvision:resnet50", "torchvision:vgg16", "torchvision:resnet18", "torchvision:googlenet",
    "torchvision:efficientnet_b0", "torchvision:vit_b_16", "torchvision:regnet_y_400mf", "torchvision:alexnet",
    "torchvision:resnext50_32x4d", "torchvision:squeezenet1_1", "torchvision:densenet121",
    "torchvision:shufflenet_v2_x1_0", "torchvision:mobilenet_v2", "torchvision:mobilenet_v3_large",
    "torchvision:mnasnet1_0", "torchvision:convnext_tiny", "torchvision:swin_t", "timm:mixer_s32_224",
    "timm:levit_128s", "timm:mobilevit_xxs", "timm:hrnet_w18_small", "timm:edgenext_xx_small", "timm:poolformer_s12",
    "timm:pvt_v2_b0", "timm:deit_tiny_patch16_224", "timm:repvgg_a0", "timm:efficientvit_b0", "timm:convmixer_768_32",
    "torchvision:inception_v3", "torchvision:efficientnet_v2_s",
)  # fmt: skip
"""Modules of libraries, which are given to define as they are."""
TRANSFORMERS = ("models:minilm", "models:gpt2", "models:clip_vit_b_32", "models:whisper_tiny")
"""Models of trtnet; the original is that of transformers, whose weights they get."""
FAMILIES = (*IMAGES, *TRANSFORMERS)

TOKENS = {"minilm": 128, "gpt2": 64}
"""How many tokens a text has."""


@dataclass(frozen=True)
class Family:
    """A model.

    original: the torch module, in float32. shapes: of a sample of each input; vocabulary: of inputs that are tokens, 0
    for images. ours: trtnet's model, if the original is not given to define itself. inner: the part of the
    original that has the weights, to which the rules are applied.
    """

    name: str
    original: torch.nn.Module
    shapes: tuple[tuple[int, ...], ...]
    vocabulary: int = 0
    ours: Any = None
    inner: torch.nn.Module | None = None
    rules: str = ""

    def inputs(self, batch: int, seed: int = 2) -> tuple[torch.Tensor, ...]:
        """Random images in float32; random tokens, a mask of ones and zeros."""
        generator = torch.Generator().manual_seed(seed)
        if not self.vocabulary:
            return tuple(torch.randn(batch, *shape, generator=generator) for shape in self.shapes)
        tokens, *others = (torch.randint(0, self.vocabulary, (batch, *s), generator=generator) for s in self.shapes)
        constants = (torch.ones_like, torch.zeros_like)
        return (tokens, *(make(other) for make, other in zip(constants, others, strict=False)))

    def define(
        self, inputs: Sequence[torch.Tensor], dtype: str, forms: FormChoices | Mapping[str, Any] | str | None = None
    ) -> trtnet.definition.DefinedNetwork:
        """The network for inputs of these shapes, which are static."""
        names = ("x",) if self.ours is None else tuple(self.ours.inputs)
        declared = {
            name: trtnet.Input(tuple(x.shape), None if x.is_floating_point() else "int64")
            for name, x in zip(names, inputs, strict=True)
        }
        weights = rules(self.rules).apply(self.inner) if self.rules else self.inner
        model = self.original if self.ours is None else self.ours
        return trtnet.define(model, declared, weights, dtype=dtype, forms={} if forms is None else forms)


class First(torch.nn.Module):
    """The first result of a module of transformers."""

    def __init__(self, inner: torch.nn.Module, **options: Any) -> None:
        super().__init__()
        self.inner, self.options = inner, options

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(*arguments, **self.options, return_dict=False)[0]
        return found


class Sentence(torch.nn.Module):
    """The mean of BERT's tokens, normalized."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        hidden = self.inner(ids, mask, kinds, return_dict=False)[0]
        present = mask.unsqueeze(-1).to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * present).sum(1) / present.sum(1), dim=-1)


def family(name: str) -> Family:
    """The model with its random weights, always the same on one machine, with batch norms that have seen data."""
    library, _, short = name.partition(":")
    torch.manual_seed(0)
    made = _transformer(name, short) if library == "models" else _images(name, library, short)
    made.original.eval()
    given = made.inputs(4, seed=1)
    randomize(made.original, {str(index): x for index, x in enumerate(given)}, by_name=False)
    return made


def _images(name: str, library: str, short: str) -> Family:
    torchvision = originals.import_torchvision()  # timm imports it, too
    if library == "timm":
        model = importlib.import_module("timm").create_model(short)
        return Family(name, model, (tuple(model.pretrained_cfg["input_size"]),))
    options = {"init_weights": False} if short in ("googlenet", "inception_v3") else {}
    size = 299 if short == "inception_v3" else 224
    return Family(name, getattr(torchvision.models, short)(**options), ((3, size, size),))


def _transformer(name: str, short: str) -> Family:
    originals.import_torchvision()
    library, ours = importlib.import_module("transformers"), getattr(models, short)()
    makers: dict[str, Callable[[], Family]] = {
        "minilm": lambda: _minilm(name, library, ours), "gpt2": lambda: _gpt2(name, library, ours),
        "clip_vit_b_32": lambda: _clip(name, library, ours), "whisper_tiny": lambda: _whisper(name, library, ours),
    }  # fmt: skip
    return makers[short]()


def _minilm(name: str, library: Any, ours: Any) -> Family:
    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    inner = library.BertModel(library.BertConfig(**sizes))
    return Family(name, Sentence(inner), ((TOKENS["minilm"],),) * 3, inner.config.vocab_size, ours, inner)


def _gpt2(name: str, library: Any, ours: Any) -> Family:
    inner = library.GPT2LMHeadModel(library.GPT2Config(use_cache=False))
    return Family(name, First(inner), ((TOKENS["gpt2"],),), inner.config.vocab_size, ours, inner)


def _clip(name: str, library: Any, ours: Any) -> Family:
    inner = library.CLIPVisionModelWithProjection(library.CLIPVisionConfig(patch_size=32))
    return Family(name, First(inner), ((3, 224, 224),), 0, ours, inner, "clip")


def _whisper(name: str, library: Any, ours: Any) -> Family:
    sizes = {"d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536}
    whole = library.WhisperModel(library.WhisperConfig(**sizes, decoder_layers=1, num_mel_bins=80))
    return Family(name, First(whole.encoder), ((80, 3000),), 0, ours, Encoder(whole.encoder), "whisper")


class Encoder(torch.nn.Module):
    """A module under the name that it has in the whole model."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder


def first(result: Any) -> torch.Tensor:
    """The first tensor of a model's result."""
    found: torch.Tensor = flat(result)[0]
    return found
