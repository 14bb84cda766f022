"""Many cases in one network, so that one build and one run answer for all; and what processes of their own do with it.

python -m searching.batches build FOLDER     builds the network of FOLDER/cases.json, writes FOLDER/plan
python -m searching.batches run FOLDER...    runs engine after engine on the GPU, writes FOLDER/results.pt
python -m searching.batches fake FOLDER...   the same with the reference in the engine's place
"""

from __future__ import annotations

import faulthandler
import json
import linecache
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ops.searching.case import Case
from ops.searching.running import FILE, entering, flat, own_model, torch_model

import trtnet
from trtnet import nn
from trtnet.definition import DefinedNetwork
from trtnet.reference.step import to_numpy, to_torch


class Batch(nn.Module):
    """The programs side by side, each with inputs of its own; the results of all in a row."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.counts = [len(case.operands) for case in cases]
        self.parts = nn.ModuleList([own_model(case) for case in cases])

    def forward(self, *inputs: Any) -> list[Any]:
        left, results = list(inputs), []
        for part, count in zip(self.parts, self.counts, strict=True):
            results += flat_symbols(part(*left[:count]))
            del left[:count]
        return results


def flat_symbols(result: Any) -> list[Any]:
    """The tensors of a result, in order."""
    if isinstance(result, list | tuple):
        return [tensor for item in result for tensor in flat_symbols(item)]
    return [result]


def define_batch(cases: Sequence[Case]) -> DefinedNetwork:
    """The network of cases of one dtype, at their own sizes."""
    linecache.cache[FILE] = (0, None, [], FILE)
    inputs, weights = {}, {}
    for i, case in enumerate(cases):
        for j, operand in enumerate(case.operands):
            inputs[f"x{i}_{j}"] = trtnet.Input(operand.shape, entering(case, operand.dtype))
        if case.layer:
            state = torch_model(case).to(getattr(torch, case.dtype)).state_dict()
            weights.update({f"parts.{i}.{key}": value for key, value in state.items()})
    return trtnet.define(Batch(cases), inputs, weights, dtype=cases[0].dtype)


def feeds(cases: Sequence[Case]) -> dict[str, torch.Tensor]:
    """The inputs of all, by name."""
    given = {}
    for i, case in enumerate(cases):
        own = getattr(torch, case.dtype)
        for j, x in enumerate(case.inputs()):
            given[f"x{i}_{j}"] = (x.to(own) if x.is_floating_point() else x).contiguous()
    return given


def read(folder: Path) -> list[Case]:
    """The cases of a folder."""
    return [Case.of(data) for data in json.loads((folder / "cases.json").read_text())]


def build(folder: Path) -> None:
    """Writes the plan."""
    define_batch(read(folder)).build().save(folder / "plan")


def run(folder: Path, *, fake: bool) -> None:
    """Writes the results, after a mark that it was begun."""
    (folder / "begun").touch()
    cases = read(folder)
    given = feeds(cases)
    if fake:
        results = flat(define_batch(cases).reference()(**given))
    else:
        found = trtnet.load(folder / "plan")(**{name: to_numpy(x) for name, x in given.items()})
        arrays = (
            list(found.values()) if isinstance(found, dict) else found if isinstance(found, list | tuple) else [found]
        )
        results = [to_torch(array) for array in arrays]
    torch.save(results, folder / "results.pt")


def main() -> None:
    faulthandler.enable()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    what, *folders = sys.argv[1:]
    for folder in map(Path, folders):
        try:
            build(folder) if what == "build" else run(folder, fake=what == "fake")
        except Exception as error:
            (folder / "error").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
