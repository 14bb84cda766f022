"""Files of tunings that are damaged, of another version or model: errors that say what is wrong, and where."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import trtnet
from trtnet.support.errors import ModelError, TrtnetError
from trtnet.tools.tune.merging import merge
from trtnet.tools.tune.searching.recording import read

VARIANT = {"forms": {"gelu:1": "float32"}, "milliseconds": [1.0, 2], "error": 1e-3, "failed": ""}
FILE: dict[str, Any] = {
    "tuning": 1, "model": "net", "gpu": "NVIDIA H200", "compute_capability": "9.0", "driver": "13.0",
    "backend": trtnet.support.backend.name(), "backend_version": "1.6.1", "trtnet_version": "0.1.0",
    "date": "2026-11-30", "inputs": {"x": {"shape": ["n", 8], "dtype": "float16"}}, "dims": {"n": [1, 4, 8]},
    "dtype": "float16", "ordered_by": "profile", "unfinished": "", "milliseconds": {"neutral": 1.0, "tuned": 0.9},
    "errors": {"neutral": 1e-3, "tuned": "inf"}, "forms": {"gelu": {"1": "float32"}},
    "groups": [{"kind": "gelu", "chosen": "float32", "operations": [{"dtype": "float16", "facts": {"elements": 8}}]}],
    "contests": [{"where": "gelu:1", "variants": [{**VARIANT, "forms": {}}, VARIANT]}],
}  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, -1, 2.5, "text", [], [1], [[]], {}, {"x": 1}, {"x": {}})
"""What may stand in another's place."""


def network(forms: Any) -> Any:
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU()).eval()
    return trtnet.define(model, {"x": trtnet.Input(("n", 8))}, dtype="float16", forms=forms)


def use(file: Path) -> None:
    """Everything that reads such a file."""
    found = trtnet.Tuning.load(file)
    for contest in found.contests:
        read(contest)
    merge([found], [])
    network(file)


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Of all parts, by the keys on the way."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (key,)
        yield from ((key, *rest) for rest in places(part))


def changed(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(FILE)
    part: Any = made
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return made


def without(place: tuple[Any, ...]) -> dict[str, Any]:
    made = copy.deepcopy(FILE)
    part: Any = made
    for key in place[:-1]:
        part = part[key]
    del part[place[-1]]
    return made


def test_a_whole_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "net.tuning.json"
    file.write_text(json.dumps(FILE))
    use(file)
    assert network(file).forms.by["1"]["gelu"] == "net.tuning.json: 1"


@pytest.mark.parametrize("place", [*places(FILE)], ids=str)
def test_a_file_with_anything_else_anywhere_is_used_or_an_error_of_trtnet(
    place: tuple[Any, ...], tmp_path: Path
) -> None:
    file, refused = tmp_path / "net.tuning.json", 0
    documents = [changed(place, other) for other in OTHERS] + [without(place)]
    for document in documents:
        file.write_text(json.dumps(document))
        try:
            use(file)
        except TrtnetError as error:
            refused += 1
            assert str(file) in str(error) or file.name in str(error) or "tuned" in str(error) or "net" in str(error)
    assert refused > 5, "wrong types were taken for right ones"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (changed(("tuning",), 2), "is not what this version of trtnet tune writes"),
        (changed(("news",), 2), "is not what this version of trtnet tune writes"),
        (without(("dtype",)), "is damaged: dtype is missing, not a text or an object; tune again"),
        (changed(("forms",), ["gelu"]), "is damaged: forms is a list, not null or an object"),
        (changed(("inputs", "x", "shape"), [4.0, 8]), "inputs.x.shape[0] is a number, not a whole number or a text"),
        (changed(("backend_version",), "new"), "backend_version is 'new', not such as '1.6'"),
        (changed(("dims",), {}), "is damaged: dims has no size of 'n'"),
        (changed(("contests", 0, "variants", 1, "error"), "big"), "variants[1].error is 'big', not a number or 'inf'"),
        (changed(("forms", "gelu"), {"act": "float32"}), "forms of net.tuning.json: no module 'act' has an operation"),
        (changed(("forms", "gelu", "1"), "fast"), "forms of net.tuning.json: there is no form 'fast' of 'gelu'"),
        (changed(("forms",), {"gellu": {}}), "forms of net.tuning.json: there is no kind 'gellu'; did you mean gelu?"),
        (
            changed(("forms", "product"), {"0": "row_blocks"}),
            "forms of net.tuning.json: 'row_blocks' of 'product' applies to",
        ),
        (changed(("forms",), None), "the search for net did not finish"),
        (changed(("groups", 0, "kind"), "gellu"), "forms of the tuning of net: there is no kind 'gellu'"),
        (changed(("groups", 0, "chosen"), "fast"), "forms of the tuning of net: there is no form 'fast' of 'gelu'"),
    ],
)
def test_an_error_names_the_file_and_what_is_wrong(document: dict[str, Any], text: str, tmp_path: Path) -> None:
    file = tmp_path / "net.tuning.json"
    file.write_text(json.dumps(document))
    with pytest.raises(ModelError, match=re.escape(text)):
        use(file)


@pytest.mark.parametrize(
    ("forms", "text"),
    [
        ({"gelu": {3: "layer"}}, "forms: module paths and forms of gelu are texts, such as {'layer1.*': 'layer'}"),
        ({"gelu": {"1": 3}}, "forms: module paths and forms of gelu are texts"),
        ({"gelu": None}, "forms: gelu is a form, or a dict of module paths to forms; found None"),
        ({3: "layer"}, "forms: there is no kind 3"),
    ],
)
def test_forms_of_other_types_are_errors(forms: Any, text: str) -> None:
    with pytest.raises(ModelError, match=re.escape(text)):
        network(forms)


def test_a_module_whose_modules_have_the_operation_is_an_error_that_gives_their_pattern() -> None:
    outer = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU())).eval()
    with pytest.raises(ModelError, match=r"no module '0' has an operation of the kind 'gelu'; '0\.\*' has"):
        trtnet.define(outer, {"x": trtnet.Input(("n", 8))}, dtype="float16", forms={"gelu": {"0": "layer"}})
