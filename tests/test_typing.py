"""What a user writes type-checks by mypy's strict rules, as torch's own does."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import torch

from trtnet import nn, ops

ROOT = Path(__file__).parents[1]
OURS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
NEEDS = {"threshold": "0.1, 0.0, ", "Threshold": "0.1, 0.0, "}
"""What is given beside the tensor."""


def checked(folder: Path) -> list[str]:
    """What mypy says of the files of a folder. With trtnet's own, as `make lint` checks them: so it has read those."""
    files = [*OURS, *map(str, sorted(folder.glob("*.py")))]
    command = [sys.executable, "-m", "mypy", "--no-error-summary", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300).stdout.splitlines()


def taking_inplace(module: Any) -> list[str]:
    functions = {name: getattr(module, name) for name in module.__all__}
    callables = {name: one for name, one in functions.items() if inspect.isfunction(one) or inspect.isclass(one)}
    return [name for name, one in callables.items() if "inplace" in inspect.signature(one).parameters]


FUNCTIONS, LAYERS = taking_inplace(ops), taking_inplace(nn)


def program(value: str) -> str:
    """Every function and layer that takes inplace, by its name; writes by operators and methods."""
    calls = [f"        x = ops.{name}(x, {NEEDS.get(name, '')}inplace={value})" for name in FUNCTIONS]
    made = [f"            nn.{name}({NEEDS.get(name, '')}inplace={value})," for name in LAYERS]
    return "\n".join(
        [
            "import trtnet",
            "from trtnet import nn, ops",
            "",
            "class Model(nn.Module):",
            "    def __init__(self) -> None:",
            "        self.relu = nn.ReLU(True)",
            "        self.layers = nn.Sequential(",
            *made,
            "        )",
            "",
            "    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:",
            *calls,
            "        x += 1",
            "        x = x.add_(1).relu_().mul_(2)",
            "        x[:, 0] = 0",
            "        y: trtnet.Tensor = self.layers(self.relu(x))",
            "        return y",
        ]
    )


def test_inplace_is_an_argument(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(program("True"))
    (tmp_path / "wrong.py").write_text(program("'yes'"))
    found = checked(tmp_path)
    assert len(found) == len(FUNCTIONS) + len(LAYERS), "\n".join(found)
    assert all("wrong.py" in line and '"inplace"' in line and "[arg-type]" in line for line in found)


def test_what_takes_inplace_in_torch_takes_it_here() -> None:
    torchs = {name for name in nn.__all__ if "inplace" in parameters(torch.nn, name)}
    assert torchs - set(LAYERS) == set() and len(torchs) > 15
    torchs = {name for name in ops.__all__ if "inplace" in parameters(torch.nn.functional, name)}
    assert torchs - set(FUNCTIONS) == set() and len(torchs) > 12


def parameters(module: Any, name: str) -> tuple[str, ...]:
    """The names of the parameters of a function or a layer of torch's; none where torch has none, or hides them."""
    try:
        return tuple(inspect.signature(getattr(module, name, int.bit_count)).parameters)
    except ValueError:
        return ()
