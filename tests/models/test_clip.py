"""CLIP's towers, and both of them, equal transformers' with the same weights and config.json, and build."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import originals
from helpers.comparing import relative_l2

import trtnet
from trtnet import models
from trtnet.weights import rules

END = 49
TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50,
    "max_position_embeddings": 16, "bos_token_id": 48, "pad_token_id": 0,
}  # fmt: skip
VISION = {**dict.fromkeys(("hidden_size", "intermediate_size"), 48), "num_hidden_layers": 2, "num_attention_heads": 4}
IMAGE = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def original(kind: str = "CLIPModel", end: int = END, **options: Any) -> Any:
    """A small one, random in every weight."""
    originals.import_torchvision()
    import transformers

    text = {**TEXT, "eos_token_id": end, **options}
    if kind == "CLIPTextModelWithProjection":
        config = transformers.CLIPTextConfig(**text, projection_dim=20)
    else:
        vision = {**VISION, "image_size": 32, "patch_size": 8, **options}
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=20)
    model, generator = getattr(transformers, kind)(config).eval(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
            parameter.normal_(centre, 0.2, generator=generator)
    return model


def texts(length: int, *ends: int) -> torch.Tensor:
    """One for each place of the end token; what follows it is anything."""
    ids = torch.randint(0, END, (len(ends), length), generator=torch.Generator().manual_seed(length))
    ids[torch.arange(len(ends)), torch.tensor(ends)] = END
    return ids


def run(model: Any, *arguments: Any, **named: Any) -> Any:
    with torch.inference_mode():
        return model(*arguments, **named)


def define(model: Any, dtype: str = "float32") -> Any:
    """From the original's config.json."""
    return trtnet.define(models.clip(model.config.to_dict()), weights=rules("clip_text").apply(model), dtype=dtype)


@pytest.mark.parametrize("options", [{}, {"end": 2}, {"hidden_act": "gelu"}], ids=["", "first files", "gelu"])
def test_both_towers_and_their_logits(options: dict[str, Any]) -> None:
    model = original(**options)
    reference = define(model).reference()
    for ids in (texts(9, 4, 8, 0), texts(16, 15), texts(1, 0, 0)):
        found, wanted = reference(IMAGE, ids), run(model, ids, IMAGE)
        assert found["logits_per_image"].shape == (2, len(ids))
        for name, x in found.items():
            assert relative_l2(x, wanted[name]) <= 1e-5


def test_the_first_end_of_a_text_counts_and_nothing_after_it() -> None:
    reference = define(original()).reference()
    ids = texts(9, 3, 3)
    ids[0, 4:] = END
    found = reference(IMAGE, ids)["text_embeds"]
    assert relative_l2(reference(IMAGE, ids[:, :4])["text_embeds"], found) <= 1e-6
    changed = ids.clone()
    changed[:, 0] += 1
    assert relative_l2(reference(IMAGE, changed)["text_embeds"], found) > 0.1


@pytest.mark.parametrize("end", [END, 2])
def test_the_text_tower_alone(end: int) -> None:
    model = original("CLIPTextModelWithProjection", end)
    config = model.config.to_dict() | {"model_type": "clip_text_model"}
    network = trtnet.define(models.clip_text(config), weights=rules("clip_text").apply(model))
    ids = texts(9, 4, 8, 0)
    assert relative_l2(network.reference()(ids), run(model, ids).text_embeds) <= 1e-5
    network.build({"batch": (1, 2, 8), "length": (1, 8, 16)})


def test_the_text_tower_of_a_whole_checkpoint() -> None:
    model, ids = original(), texts(9, 4, 8)
    ours = models.clip_text(model.config.to_dict())
    network = trtnet.define(ours, weights=rules("clip_text").apply(model), strict=False)
    wanted = run(model, ids, IMAGE).text_embeds
    found = torch.nn.functional.normalize(network.reference()(ids))
    assert relative_l2(found, wanted) <= 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_both_towers_build(dtype: str) -> None:
    model, ids = original(num_hidden_layers=1), texts(9, 4, 8, 0)
    network = define(model, dtype)
    plan = network.build({"images": (1, 2, 4), "texts": (1, 3, 8), "length": (1, 9, 16)}).plan
    assert [each.name for each in plan.info.inputs] == ["image", "input_ids"]
    found = network.reference()(IMAGE.to(getattr(torch, dtype)), ids)["logits_per_image"]
    assert found.dtype == getattr(torch, dtype)
    assert relative_l2(found, run(model, ids, IMAGE).logits_per_image) <= {"float32": 1e-5, "float16": 1e-2}[dtype]
