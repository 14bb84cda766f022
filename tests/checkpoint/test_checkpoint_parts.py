"""Training files: the state dict in them is found by what it is; where there are several, one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import CheckpointError

A = {"fc.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)}
B = {"fc.weight": torch.zeros(2, 2), "fc.bias": torch.zeros(2)}


@pytest.fixture(params=["plain", "foreign"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Saves an object; in the foreign form beside a numpy scalar, which torch's own reader refuses."""

    def save(value: dict[str, Any]) -> Path:
        torch.save(value | ({"best": np.float64(1)} if request.param == "foreign" else {}), tmp_path / "last.ckpt")
        return tmp_path / "last.ckpt"

    return save


@pytest.mark.parametrize(
    "names", [("model", "ema"), ("model", "model_ema"), ("state_dict", "state_dict_ema"), ("a", "b")]
)
def test_several_are_named(names: tuple[str, str], saved: Any) -> None:
    path = saved({names[0]: A, names[1]: B, "epoch": 3})
    with pytest.raises(
        CheckpointError, match=f"several state dicts: {names[0]}, {names[1]}. Choose one: key='{names[0]}'"
    ):
        open_checkpoint(path)
    assert open_checkpoint(path, key=names[1])["fc.bias"].tolist() == [0, 0]
    assert open_checkpoint(path, key=names[0])["fc.bias"].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["model_state", "params_ema", "net", "weights", "generator", "anything"])
def test_one_is_found_by_what_it_is(name: str, saved: Any) -> None:
    optimizer = {"state": {0: {"exp_avg": torch.ones(2, 2)}}, "param_groups": []}
    named = {"state": {"fc.weight": {"exp_avg": torch.ones(2, 2)}}}
    more = {"optimizer": optimizer, "optim_by_name": named, "rng": {"torch": torch.get_rng_state()}, "epoch": 1}
    assert open_checkpoint(saved({name: A, **more}))["fc.weight"].shape == (2, 2)
    assert list(open_checkpoint(saved({"trainer": {"inner": {name: A}}, **more}))) == list(A)


def test_nested_parts(saved: Any) -> None:
    path = saved({"gan": {"generator": A, "discriminator": B}, "ema": {"module": dict(B), "decay": 0.9}})
    with pytest.raises(CheckpointError, match=r"several state dicts: gan.generator, gan.discriminator, ema.module. "):
        open_checkpoint(path)
    assert open_checkpoint(path, key="ema")["fc.bias"].tolist() == [0, 0]
    assert open_checkpoint(path, key="gan.generator")["fc.bias"].tolist() == [1, 1]
    with pytest.raises(CheckpointError, match=r"several state dicts: gan.generator, gan.discriminator"):
        open_checkpoint(path, key="gan")
    with pytest.raises(CheckpointError, match=r"has no part 'gan.x'; its state dicts are: gan.generator"):
        open_checkpoint(path, key="gan.x")


def test_names_with_dots(saved: Any) -> None:
    path = saved({"a.b": {"c.d": A}, "e": B})
    assert open_checkpoint(path, key="a.b.c.d")["fc.bias"].tolist() == [1, 1]


def test_a_part_of_a_loaded_file() -> None:
    loaded = {"model": A, "model_ema": B, "epoch": 3}
    with pytest.raises(CheckpointError, match="several state dicts: model, model_ema"):
        open_checkpoint(loaded)
    assert open_checkpoint(loaded, key="model_ema")["fc.bias"].tolist() == [0, 0]


def test_what_has_no_parts_takes_no_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.ones(1))
    with pytest.raises(CheckpointError, match=r"is an .npz file, which has no parts: open it without the key 'model'"):
        open_checkpoint(tmp_path / "x.npz", key="model")


class Extra(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(2, 2)

    def get_extra_state(self) -> Any:
        return {"version": 1}

    def set_extra_state(self, state: Any) -> None:
        pass


def test_extra_state_is_no_weight(saved: Any) -> None:
    assert list(open_checkpoint(Extra())) == ["fc.weight", "fc.bias"]
    assert list(open_checkpoint(saved({"model": Extra().state_dict()}))) == ["fc.weight", "fc.bias"]
