"""What TensorRT's Python API is in each version: every class with its members, enum members and argument names.

tests/data/tensorrt_api.json was made of the API listings of seven released binding wheels, a JSON file a version:

    python tests/helpers/conformance/surfaces.py FOLDER
"""

from __future__ import annotations

import json
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "tensorrt_api.json"

Surface = dict[str, dict[str, str]]
"""Class -> member -> "" or, of a method, "name, name -> Result" (each overload's, separated by "; ")."""


@lru_cache
def surfaces() -> dict[str, Surface]:
    """The surface of each version, such as ``"tensorrt 11.4.0.106"``."""
    packed = json.loads(DATA.read_text())
    result: dict[str, Surface] = {version: {} for version in packed["versions"]}
    for name, members in packed["api"].items():
        for member, forms in members.items():
            for form, versions in forms.items():
                for index in versions:
                    own = result[packed["versions"][index]].setdefault(name, {})
                    if member:
                        own[member] = form
    return result


def lookup(surface: Surface, dotted: str) -> str | None:
    """The form of ``"Class"`` or ``"Class.member"``, None where there is none; layers have what ILayer has."""
    name, _, member = dotted.partition(".")
    if name not in surface:
        return None
    if not member:
        return ""
    if member not in surface[name] and re.fullmatch(r"I\w+Layer", name):
        return surface["ILayer"].get(member)
    return surface[name].get(member)


def arguments(form: str) -> list[set[str]]:
    """The argument names of each overload of a method."""
    return [set(filter(None, (a.strip() for a in part.partition("->")[0].split(",")))) for part in form.split(";")]


def result_class(form: str) -> str:
    """The class that a method returns."""
    return form.partition(";")[0].partition("->")[2].strip()


def _form(text: str) -> str:
    """The argument names and the result of a docstring's signatures; "" for what is no method, or says nothing."""
    overloads = []
    for inside, result in re.findall(r"\((?:self: [\w.]+,? ?)?([^)]*)\) -> ([\w.]+)", text):
        names = [a.partition(":")[0].strip() for a in re.split(r",(?![^\[]*\])", inside)]
        overloads.append(f"{', '.join(filter(None, names))} -> {result.rpartition('.')[2]}")
    return "; ".join(overloads)


def pack(folder: Path) -> dict[str, Any]:
    """All listings in one, each name once with the numbers of the versions that have it."""
    files = sorted(folder.glob("*.json"))
    versions = [file.stem.replace("-", " ") for file in files]
    api: dict[str, dict[str, dict[str, list[int]]]] = {}
    for index, file in enumerate(files):
        for name, entry in json.loads(file.read_text())["api"].items():
            members = {"": "", **dict.fromkeys(entry.get("enum", ()), "")} if isinstance(entry, dict) else {"": ""}
            for member, text in (entry.get("members", {}) if isinstance(entry, dict) else {}).items():
                members[member] = _form(text) if isinstance(text, str) else ""
            for member, form in members.items():
                api.setdefault(name, {}).setdefault(member, {}).setdefault(form, []).append(index)
    return {"versions": versions, "api": api}


if __name__ == "__main__":
    DATA.write_text(json.dumps(pack(Path(sys.argv[1])), separators=(",", ":"), sort_keys=True) + "\n")
