"""One published architecture of each kind, small: static and dynamic, float32 and float16; two are built.

``published_modules.py`` runs the whole list, which takes hours.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.definition import published
from helpers.originals import import_torchvision

SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 99}
Made = tuple[torch.nn.Module, Callable[[int], dict[str, torch.Tensor]], bool]


def of_images(make: Callable[[], torch.nn.Module], size: int) -> Callable[[], Made]:
    def case() -> Made:
        import_torchvision()
        return make(), lambda batch: {"x": random(batch, 3, size, size)}, False

    return case


def of_tokens(family: str, name: str, **values: Any) -> Callable[[], Made]:
    def case() -> Made:
        where = f"transformers.models.{family}"
        config = getattr(importlib.import_module(f"{where}.configuration_{family}"), f"{name}Config")
        kind = {"Bert": "BertModel", "Llama": "LlamaForCausalLM"}[name]
        model = getattr(importlib.import_module(f"{where}.modeling_{family}"), kind)
        made = model(config(**(SMALL | values), use_cache=False, attn_implementation="eager"))
        return made, lambda batch: {"input_ids": torch.randint(0, 90, (batch, 7))}, True

    return case


def random(*sizes: int) -> torch.Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(sizes[0]))


def timm(module: str, name: str, **arguments: Any) -> Callable[[], torch.nn.Module]:
    return lambda: getattr(importlib.import_module(f"timm.models.{module}"), name)(num_classes=5, **arguments)


CASES: dict[str, Callable[[], Made]] = {
    "residual": of_images(lambda: import_torchvision().models.resnet18(num_classes=5), 32),
    "depthwise": of_images(timm("convnext", "ConvNeXt", depths=(1, 1, 1, 1), dims=(8, 12, 16, 24)), 32),
    "windows": of_images(
        timm("swin_transformer", "SwinTransformer", img_size=32, embed_dim=8, depths=(2, 2), num_heads=(1, 2),
             window_size=4),
        32,
    ),
    "cached biases": of_images(timm("levit", "Levit", img_size=32, embed_dim=(8, 12), key_dim=4, depth=(1, 1),
                                    num_heads=(2, 3)), 32),
    "class token": of_images(timm("vision_transformer", "VisionTransformer", img_size=32, embed_dim=16, depth=1,
                                  num_heads=2), 32),
    "recurrent": of_images(timm("sequencer", "Sequencer2d", layers=(1, 1), patch_sizes=(8, 2), embed_dims=(8, 12),
                                hidden_sizes=(4, 4), mlp_ratios=(2.0, 2.0)), 32),
    "fourier positions": of_images(timm("xcit", "Xcit", img_size=32, patch_size=16, embed_dim=16, depth=1, num_heads=2,
                                        cls_attn_layers=1), 32),
    "bidirectional": of_tokens("bert", "Bert"),
    "causal": of_tokens("llama", "Llama", num_key_value_heads=2),
}  # fmt: skip
BUILT = ("cached biases", "causal")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", CASES)
def test_a_published_module_is_a_model(name: str, dynamic: bool, dtype: str) -> None:
    build = name in BUILT and dynamic and dtype == "float16"
    found = published.run_case(CASES[name], dtype, dynamic, build)
    assert found.get("ok"), found
    assert ("build" in found) == build


def test_torchs_rounding_is_known_where_torch_has_no_kernel() -> None:
    """It has none for means of volumes in float16 on the CPU: S3D."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv3d(2, 2, 1), torch.nn.AvgPool3d(2)).eval()
    volume = {"x": random(2, 2, 4, 4, 4)}
    with pytest.raises(NotImplementedError), torch.inference_mode():
        module.half()(volume["x"].half())
    module.float()
    with torch.inference_mode():
        whole, apart = published.torchs_rounding(
            module, volume, published.called(module, volume, False), "float16", False
        )
    assert 1e-5 < whole < 1e-3 and 1e-5 < apart < 1e-3
    assert next(module.parameters()).dtype == torch.float32
