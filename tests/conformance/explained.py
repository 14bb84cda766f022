"""The names that `trtnet doctor --explain` knows: trtnet/tools/explain/api.json, made of tests/data/tensorrt_api.json.

python tests/conformance/explained.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.conformance.surfaces import surfaces

TARGET = Path(__file__).parents[2] / "trtnet" / "tools" / "explain" / "api.json"


def compact() -> dict[str, Any]:
    """Each class's names together by the versions that have them, whose bits are the key; "@" is the class itself."""
    versions = list(surfaces())
    masks: dict[str, dict[str, int]] = {}
    for index, surface in enumerate(surfaces().values()):
        for owner, members in surface.items():
            for name in ("@", *members):
                masks.setdefault(owner, {}).setdefault(name, 0)
                masks[owner][name] |= 1 << index
    return {"versions": versions, "api": {owner: _by_mask(names) for owner, names in sorted(masks.items())}}


def _by_mask(names: dict[str, int]) -> dict[str, str]:
    return {str(mask): " ".join(sorted(n for n in names if names[n] == mask)) for mask in sorted({*names.values()})}


def text() -> str:
    """The file."""
    return json.dumps(compact(), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
