"""A finding as a program that runs as it stands."""

from __future__ import annotations

import torch
from ops.searching.case import Case
from ops.searching.outcomes import Outcome
from ops.searching.running import entering

LITERALS = 48
"""Up to so many elements an input is written out."""


def reproducer(case: Case, found: Outcome) -> str:
    """The program: the model once with torch's names and once with trtnet's, its inputs, both results."""
    other = found.where == "other sizes"
    inputs = case.inputs(case.others if other else None)
    dynamic = found.where in ("dynamic", "other sizes")
    specs = [
        f"trtnet.Input({operand.dynamic_shape if dynamic else operand.shape!r}, {entering(case, operand.dtype)!r})"
        for operand in case.operands
    ]
    weights = "model.state_dict()" if case.layer else "{}"
    drawn = any(x.numel() > LITERALS for x in inputs)
    lines = [
        f"# {case.op}: {found.kind} ({found.where}): {found.detail}",
        "import math, sys",
        "import numpy as np, torch",
        "import trtnet",
        'sys.path.insert(0, "tests")',
        "from ops.searching.running import OURS, TORCH, weighted",
        *(["from ops.searching.case import Case, Operand, tensor"] if drawn else []),
        "",
        "PROGRAM = '''",
        case.program + "'''",
        "ours, theirs = dict(OURS), dict(TORCH)",
        "exec(compile(PROGRAM, 'case.py', 'exec'), ours)",
        "exec(compile(PROGRAM, 'case.py', 'exec'), theirs)",
        "inputs = [",
        *(f"    {_literal(x, case, i, other)}," for i, x in enumerate(inputs)),
        "]",
        f"model = weighted(theirs['Model'](), {case.seed}).to(torch.{case.dtype})",
        "try:",
        "    print('torch ', model(*(x.clone() for x in inputs)))",
        "except Exception as error:",
        "    print('torch ', type(error).__name__, error)",
        "specs = {",
        *(f"    'x{i}': {spec}," for i, spec in enumerate(specs)),
        "}",
        f"network = trtnet.define(ours['Model'](), specs, {weights}, dtype={case.dtype!r})",
        "print('trtnet', network.reference()(*inputs))",
    ]
    return "\n".join(lines) + "\n"


def _literal(x: torch.Tensor, case: Case, index: int, other: bool) -> str:
    if x.numel() > LITERALS:
        operand = case.operands[index].at(case.others if other else {})
        text = f"tensor({operand!r}, {case.seed * 64 + index})"
    else:
        values = repr(x.tolist()).replace("inf", "math.inf").replace("nan", "math.nan")
        text = f"torch.tensor({values}, dtype=torch.{case.operands[index].dtype}).reshape({tuple(x.shape)})"
    own = f".to(torch.{case.dtype})"
    return text + (own if x.is_floating_point() and case.operands[index].dtype != case.dtype else "")
