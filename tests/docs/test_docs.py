"""What README and docs show runs and is true; their links lead somewhere."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from contextlib import suppress
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import pytest
from helpers.docs.output import agrees
from helpers.docs.pages import PAGES, ROOT, read
from helpers.docs.running import run

import trtnet
import trtnet.weights
from trtnet.support.errors import DependencyError

ALL = {path: read(path) for path in PAGES}
TEXT = "\n".join(path.read_text() for path in PAGES)


@pytest.mark.parametrize("path", [path for path in PAGES if ALL[path].blocks], ids=lambda path: path.stem)
def test_what_is_shown_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(ALL[path], has_gpu=False)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a 1.5e-03 b", "a 2.5e-03 b"),
        ("a\n...\nz", "a\nb\nc\nz"),
        ("took ... s", "took 12.5 s"),
        ("┃ a ┃ 1 ┃", "┃ a    ┃ 1    ┃"),
        ("16.30", "16.31"),
    ],
)
def test_output_agrees(shown: str, printed: str) -> None:
    assert agrees(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a 1.5e-03 b", "a 1.5e-02 b"),
        ("a 1.5e-03", "a -1.5e-03"),
        ("a\nz", "a\nb\nz"),
        ("a\n...\nz\n...\nq", "a\nz\ny"),
        ("4 layers", "5 layers"),
        ("16.30", "16.40"),
        ("passes", "fails"),
    ],
)
def test_output_differs(shown: str, printed: str) -> None:
    assert not agrees(shown, printed)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    page = ALL[path]
    dead = []
    for link in page.links:
        target, _, anchor = link.partition("#")
        to = (path.parent / target).resolve() if target else path
        if not to.exists() or (anchor and anchor not in read(to).anchors):
            dead.append(link)
    assert dead == []
    assert [name for name in page.references if not _is_name(name)] == []


def _is_name(name: str) -> bool:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            value = getattr(value, part, None)
        return value is not None
    return False


def _public_functions() -> dict[str, Callable[..., Any]]:
    """What trtnet has, what programs of the documentation import, and what fetches weights."""
    named = {f"trtnet.{name}" for name in trtnet.__all__}
    imports = re.findall(r"^from (trtnet[\w.]*) import ([\w, ]+)$", TEXT, re.MULTILINE)
    named |= {f"{module}.{name.split(' as ')[0].strip()}" for module, names in imports for name in names.split(",")}
    for module in pkgutil.iter_modules(trtnet.weights.__path__, "trtnet.weights."):
        file = importlib.import_module(module.name)
        own = [name for name, each in vars(file).items() if isfunction(each) and each.__module__ == module.name]
        named |= {f"{module.name}.{name}" for name in own if not name.startswith("_") and name != "main"}  # a command
    found: dict[str, Any] = {}
    for name in named:
        module, _, attribute = name.rpartition(".")
        with suppress(DependencyError):  # Ray, Triton
            found[name] = getattr(importlib.import_module(module), attribute)
    return {name: each for name, each in found.items() if callable(each)}


def test_public_functions_take_paths_as_text_too() -> None:
    narrow = []
    for name, function in _public_functions().items():
        with suppress(ValueError, TypeError):  # what is no function of Python's
            for parameter in signature(function).parameters.values():
                if re.fullmatch(r"(pathlib\.)?Path( \| None)?", str(parameter.annotation)):
                    narrow.append(f"{name}({parameter})")
    assert narrow == []


def test_the_documentation_is_all_in_the_site() -> None:
    import tomllib

    site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    listed = re.findall(r"'([\w/-]+\.md)'", str(site["nav"]))
    pages = {str(path.relative_to(ROOT / "docs")) for path in PAGES if path.is_relative_to(ROOT / "docs")}
    assert sorted(listed) == sorted(pages)


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").stat().st_size <= 10_000


def test_the_model_shown_is_the_one_of_the_zoo() -> None:
    shown = next(block for block in ALL[ROOT / "README.md"].blocks if block.title == "digits.py").text
    assert _network(shown) == _network((ROOT / "models" / "lenet.py").read_text())


def _network(text: str) -> str:
    """The class in a file, without comments, and with the number of classes that it has by default."""
    (code,) = re.findall(r"^class LeNet\(.*?(?=^\S)", text, re.DOTALL | re.MULTILINE)
    code = re.sub(r"  # .*|trtnet\.(?=Input|Tensor)|, num_classes: int = 10|, config: LeNetConfig", "", code)
    return re.sub(r"(config\.)?num_classes", "10", code).strip()


def test_every_model_is_listed() -> None:
    import trtnet.models

    for name in trtnet.models.__all__:
        assert f"`{name}`" in TEXT or (name.startswith("resnet") and f"`{name.removeprefix('resnet')}`" in TEXT)


def test_the_rules_shown_are_those_of_the_family() -> None:
    from trtnet.checkpoint.rules import parse

    (shown,) = (block.text for page in ALL.values() for block in page.blocks if block.language == "toml")
    whole = (ROOT / "weights" / "vit.toml").read_text()
    assert all(part.strip() in whole for part in shown.split("\n\n"))
    assert len(parse(shown, "shown").rules) == 2


def test_every_verb_of_rules_is_in_the_table() -> None:
    from trtnet.checkpoint.rules.parse import FOLDS, VERBS
    from trtnet.weights import families

    options = {option for _, taken in (*VERBS.values(), *FOLDS.values()) for option in taken} - {"at", "optional"}
    unsaid = [word for word in (*VERBS, *options) if not re.search(f"`{word}( = [^`]*)?`", TEXT)]
    assert unsaid == [] and [fold for fold in FOLDS if f'"{fold}"' not in TEXT] == []
    assert len(families()) == 22


def test_the_error_shown_is_the_one_raised() -> None:
    import trtnet
    from trtnet import nn
    from trtnet.models import resnet50
    from trtnet.support.errors import LayerError
    from trtnet.tools.targets.placeholder_weights import Placeholder

    model = resnet50()
    model.layer1[0].conv1, model.layer1[0].bn1 = nn.Conv2d(64, 32, 1, bias=False), nn.BatchNorm2d(32)
    with pytest.raises(LayerError) as found:
        trtnet.define(model, weights=Placeholder(model, "float16"), dtype="float16")
    kind = type(found.value)
    assert f"```text\n{kind.__module__}.{kind.__qualname__}: {found.value}\n```" in (ROOT / "README.md").read_text()


def test_the_files_named_are_there() -> None:
    """Those of CONTRIBUTING.md and of the documentation; names in capitals stand for others."""
    named = re.findall(r"`((?:trtnet|tests|models|weights|docs|\.ci)/[\w./*-]*)`", TEXT)
    gone = {name for name in named if not re.search(r"[A-Z]{3}", name) and not list(ROOT.glob(name.rstrip("/")))}
    assert gone == set()


def test_the_issue_form_asks_for_the_doctor() -> None:
    import yaml

    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text())
    fields = {part["id"]: part for part in form["body"]}
    assert "trtnet doctor --json -" in fields["doctor"]["attributes"]["label"]
    assert fields["doctor"]["validations"]["required"]


def test_the_hook_calls_make_lint() -> None:
    import yaml

    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
