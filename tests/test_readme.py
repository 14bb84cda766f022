"""What the README shows is what the files say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def test_the_first_model_is_shown_whole() -> None:
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    docstring, _, code = (ROOT / "models" / "lenet.py").read_text().partition("\n\n")
    assert docstring.startswith('"""')
    assert shown == code


def test_every_model_is_listed() -> None:
    import trtnet.models

    text = (ROOT / "README.md").read_text()
    for name in trtnet.models.__all__:
        assert f"`{name}`" in text or (name.startswith("resnet") and f"`{name.removeprefix('resnet')}`" in text)


def test_the_rules_shown_are_those_of_the_family() -> None:
    from trtnet.checkpoint.rules import parse

    (shown,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    whole = (ROOT / "weights" / "vit.toml").read_text()
    assert all(part.strip() in whole for part in shown.split("\n\n"))
    assert len(parse(shown, "shown").rules) == 2


def test_every_verb_of_rules_is_in_the_table() -> None:
    from trtnet.weights import families

    from trtnet.checkpoint.rules.parse import FOLDS, VERBS

    text = (ROOT / "README.md").read_text()
    options = {option for _, taken in (*VERBS.values(), *FOLDS.values()) for option in taken} - {"at", "optional"}
    unsaid = [word for word in (*VERBS, *options) if not re.search(f"`{word}( = [^`]*)?`", text)]
    assert unsaid == [] and [fold for fold in FOLDS if f'"{fold}"' not in text] == []
    assert len(families()) == 12


def test_the_error_shown_is_the_one_raised() -> None:
    import pytest
    from trtnet.models import resnet50

    import trtnet
    from trtnet import nn
    from trtnet.support.errors import LayerError
    from trtnet.tools.targets.placeholder_weights import Placeholder

    model = resnet50()
    model.layer1[0].conv1, model.layer1[0].bn1 = nn.Conv2d(64, 32, 1, bias=False), nn.BatchNorm2d(32)
    with pytest.raises(LayerError) as found:
        trtnet.define(model, weights=Placeholder(model, "float16"), dtype="float16")
    assert f"```\ntrtnet.errors.LayerError: {found.value}\n```" in (ROOT / "README.md").read_text()


def test_the_first_model_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "lenet.engine" in code]
    on_the_cpu = [line for line in example.splitlines() if "trtnet.load(" not in line]
    values: dict[str, Any] = {}
    exec("\n".join(on_the_cpu), values)
    assert values["logits"].shape == (4, 10) and (tmp_path / "lenet.engine.json").exists()
