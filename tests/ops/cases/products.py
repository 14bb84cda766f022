"""Products of matrices and vectors, and what is written as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import Case, like, of_both, same

from trtnet import ops

RNG = np.random.default_rng(31)
KERNEL, BIAS = RNG.standard_normal((4, 3, 5)) / 4, RNG.standard_normal(4)
HEADS = ("n", 4, "s", 8)


def bilinear(x: Any, y: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return F.bilinear(x, y, like(KERNEL, x), like(BIAS, x))
    return ops.bilinear(x, y, like(KERNEL, x), like(BIAS, x))


PRODUCT_CASES = [
    same("matmul", lambda x, y: x @ y, ("n", 4, "s"), ("n", "s", 5)),
    same("matmul broadcast", lambda x, y: x @ y, ("n", 2, 3, "s"), ("s", 5)),
    same("matmul vector", lambda x, y: x @ y, ("n", 4, 5), (5,)),
    same("vector matmul", lambda x, y: x @ y, (5,), ("n", 5, 4)),
    of_both("einsum matmul", lambda m, x, y: m.einsum("bij,bjk->bik", x, y), ("n", 3, "s"), ("n", "s", 4)),
    of_both("einsum implicit", lambda m, x, y: m.einsum("ij,jk", x, y), (3, "s"), ("s", 4)),
    of_both("einsum ellipsis", lambda m, x, y: m.einsum("...qd,...kd->...qk", x, y), ("n", 2, 3, 4), ("n", 2, "s", 4)),
    of_both("einsum capitals", lambda m, x, y: m.einsum("bHd,bHe->bde", x, y), ("n", 3, 4), ("n", 3, 5)),
    Case("bilinear", bilinear, bilinear, (("n", "s", 3), ("n", "s", 5))),
    of_both("mm", lambda m, x, y: m.mm(x, y), ("n", 4), (4, "s")),
    of_both("bmm", lambda m, x, y: m.bmm(x, y), ("n", 3, "s"), ("n", "s", 4)),
    of_both("addmm", lambda m, x, y, z: m.addmm(x, y, z, beta=0.5, alpha=2), ("s",), ("n", 4), (4, "s")),
    of_both("baddbmm", lambda m, x, y, z: m.baddbmm(x, y, z), ("n", 3, 5), ("n", 3, 4), ("n", 4, 5)),
    of_both("outer", lambda m, x, y: m.outer(x, y), ("n",), ("s",)),
    same("scores of heads", lambda x, y: x @ y.mT, HEADS, HEADS),
]  # fmt: skip
