"""Normalizations with every combination of arguments, weights that are constants and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import IMAGE, NS, Case, either, like, of_both

from trtnet import ops

RNG = np.random.default_rng(11)
GAIN, SHIFT = RNG.standard_normal(6), RNG.standard_normal(6)
CHANNELS, ROWS = (4,), ("n", 4)
TOKENS, SIX_CHANNELS = ("n", "s", 6), ("n", 6, "h", 5)


def layer_norm(x: Any) -> Any:
    arguments = (6,), like(GAIN, x), like(SHIFT, x), 1e-5
    return F.layer_norm(x, *arguments) if isinstance(x, torch.Tensor) else ops.layer_norm(x, *arguments)


def group_norm(x: Any) -> Any:
    function = F.group_norm if isinstance(x, torch.Tensor) else ops.group_norm
    return function(x, 3, like(GAIN, x), like(SHIFT, x), 1e-5)


def instance_norm(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return F.instance_norm(x, None, None, like(GAIN, x), like(SHIFT, x))
    return ops.instance_norm(x, None, None, like(GAIN, x), like(SHIFT, x))


def rms_norm(x: Any) -> Any:
    function = F.rms_norm if isinstance(x, torch.Tensor) else ops.rms_norm
    return function(x, (6,), like(GAIN, x), 1e-6)


def positive(x: Any) -> Any:
    return x * x + 0.5


NORM_CASES = [
    Case("layer_norm", layer_norm, layer_norm, (TOKENS,)),
    Case("group_norm", group_norm, group_norm, (SIX_CHANNELS,)),
    Case("instance_norm", instance_norm, instance_norm, (SIX_CHANNELS,)),
    Case("rms_norm", rms_norm, rms_norm, (TOKENS,)),
    Case("normalize", lambda x: ops.normalize(x), lambda x: F.normalize(x), (NS,)),
    of_both("cosine_similarity", lambda m, x, y: m.cosine_similarity(x, y, 1), NS, NS),
    either("local_response_norm", lambda f, x: f.local_response_norm(x, 3, 0.1), IMAGE),
    either("local_response_norm k", lambda f, x: f.local_response_norm(x, 2, 0.1, 0.5, 2.0), ("n", 5, "w")),
    *(
        either(f"group_norm one group {len(shape)}-D", lambda f, x, w, b: f.group_norm(x, 1, w, b), shape, (4,), (4,))
        for shape in (ROWS, ("n", 4, "s"), IMAGE, ("n", 4, 2, "h", "w"))
    ),
    either("group_norm one group without weights", lambda f, x: f.group_norm(x, 1, eps=0.1), IMAGE),
    either("group_norm one channel", lambda f, x: f.group_norm(x, 1), ("n", 1, "h", "w")),
    either("group_norm of rows", lambda f, x, w: f.group_norm(x, 2, w), ROWS, CHANNELS),
    either("group_norm bias alone", lambda f, x, b: f.group_norm(x, 2, None, b, 0.01), IMAGE, CHANNELS),
    either("group_norm static", lambda f, x, w, b: f.group_norm(x, 1, w, b), (1, 4, 1, 5), CHANNELS, CHANNELS),
    either("instance_norm one channel", lambda f, x: f.instance_norm(x), ("n", 1, "h", "w")),
    either("instance_norm weight alone", lambda f, x, w: f.instance_norm(x, weight=w), IMAGE, CHANNELS),
    either("layer_norm weight alone", lambda f, x, w: f.layer_norm(x, (4,), w), ("n", "s", 4), CHANNELS),
    either("layer_norm bias alone", lambda f, x, b: f.layer_norm(x, [3, 4], None, b), ("n", 3, 4), (3, 4)),
    either("layer_norm of dynamic sizes", lambda f, x: f.layer_norm(x, x.shape[1:]), ("n", 3, "h", "w")),
    either("rms_norm", lambda f, x, w: f.rms_norm(x, (3, 4), w, 0.0), ("n", 3, 4), (3, 4)),
    either(
        "batch_norm of tensors",
        lambda f, x, m, v, w, b: f.batch_norm(x, m, positive(v), w, b, eps=1e-3),
        *(IMAGE, *(CHANNELS,) * 4),
    ),
    either("batch_norm of statistics", lambda f, x, m, v: f.batch_norm(x, m, positive(v)), ROWS, (4,), (4,)),
    either("batch_norm of own statistics", lambda f, x, w: f.batch_norm(x, None, None, w, None, True), IMAGE, (4,)),
    either("local_response_norm 3-D", lambda f, x: f.local_response_norm(x, 3, 0.2, 0.5, 1.5), ("n", 5, "w")),
    either("local_response_norm even", lambda f, x: f.local_response_norm(x, 4, 0.2), ("n", 5, "h", "w")),
    either("local_response_norm wide", lambda f, x: f.local_response_norm(x, 9, 2.0), ("n", 5, "h", "w")),
    either("normalize", lambda f, x: f.normalize(x, 1.0, -1), ("n", 5, "w")),
    Case(
        "cosine_similarity",
        lambda x, y: ops.cosine_similarity(x, y, -1),
        lambda x, y: torch.cosine_similarity(x, y, -1),
        (("n", 5, "w"), ("n", 5, "w")),
    ),
]  # fmt: skip
