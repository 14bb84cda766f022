"""Operations that put elements elsewhere or make them of nothing: padding, flips, repeats, scatters, quantization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import FLOATS, IMAGE, NS, Case

from trtnet import ops

TABLE = np.random.default_rng(41).standard_normal((5, 4)).astype(np.float32)


def padded(shape: tuple[int | str, ...], *pad: int, dtypes: tuple[str, ...] = FLOATS, **options: Any) -> Case:
    label = f"pad {pad} {' '.join(map(str, options.values()))}"
    return Case(label, lambda x: ops.pad(x, pad, **options), lambda x: F.pad(x, pad, **options), (shape,), dtypes)


def moved(label: str, call: Callable[[Any, Any], Any], *shapes: tuple[int | str, ...], **options: Any) -> Case:
    """A function of (library, x...)."""
    ours, theirs = (lambda *x: call(ops, *x)), (lambda *x: call(torch, *x))
    return Case(label, ours, theirs, shapes or (NS,), **options)


def indexed(name: str) -> Case:
    """Row i of the source goes where index row i says, along axis 1."""

    def call(x: Any, index: Any, source: Any) -> Any:
        places = abs(index) - 1
        if isinstance(x, torch.Tensor):
            return getattr(torch, name)(x, 1, places, source.to(x.dtype))
        return getattr(ops, name)(x, 1, places, source.to(x.dtype))

    kinds = ("float32", "int64", "float32")
    return Case(name, call, call, (("n", 4, 3), ("n", 2, 3), ("n", 2, 3)), ("float32",), input_dtypes=kinds)


def distinct_scatter(x: Any, source: Any) -> Any:
    """Two rows exchanged, through a scatter of places that differ."""
    if isinstance(x, torch.Tensor):
        index = torch.tensor([[2], [0]]).expand(x.shape[0], 2, 3)
        return x.scatter(1, index, source)
    index = ops.cast(np.array([[[2], [0]]], np.int64), "int64").expand(x.shape[0], 2, 3)
    return ops.scatter(x, 1, index, source)


def selected(x: Any) -> Any:
    index = np.array([2, 0, 0], np.int64)
    if isinstance(x, torch.Tensor):
        return x.index_select(1, torch.as_tensor(index))
    return ops.index_select(x, 1, ops.cast(index, "int64"))


def bag(mode: str) -> Case:
    def call(index: Any) -> Any:
        if isinstance(index, torch.Tensor):
            return F.embedding_bag(abs(index), torch.as_tensor(TABLE), mode=mode)
        return ops.embedding_bag(abs(index), TABLE, mode=mode)

    return Case(f"embedding_bag {mode}", call, call, (("n", 3),), ("float32",), input_dtypes=("int64",))


def fake_quantized(axis: int | None) -> Case:
    scale = np.array([0.03, 0.05, 0.11], np.float32) if axis is not None else np.float32(0.05)

    def call(x: Any) -> Any:
        if not isinstance(x, torch.Tensor):
            return ops.fake_quantize(x, scale.astype(x.dtype.numpy), axis)
        steps = torch.as_tensor(scale).to(x.dtype)
        steps = steps if axis is None else steps.reshape(1, -1, 1)
        return (x / steps).round().clamp(-128, 127) * steps

    return Case(f"fake_quantize axis={axis}", call, call, (NS,), ("float32", "float16"))


def ones_of(m: Any, x: Any) -> Any:
    return m.ones_like(x) * 2 + m.zeros_like(x) + m.full_like(x, 0.5)


def eye_of(m: Any, x: Any) -> Any:
    return x + (m.eye(3, 4, dtype=x.dtype) if m is torch else m.eye(3, 4, x.dtype))


def dynamic_eye(m: Any, x: Any) -> Any:
    return x + (m.eye(x.shape[1], dtype=x.dtype) if m is torch else m.eye(x.shape[1], None, x.dtype))


def line(m: Any, x: Any) -> Any:
    return x * (m.linspace(-1, 2, 5, dtype=x.dtype) if m is torch else m.linspace(-1, 2, 5, x.dtype))


PLACE_CASES = [
    padded(NS, 1, 2, value=1.5),
    padded(IMAGE, 2, 1, 0, 3),
    padded(IMAGE, -1, 2, 1, -2),
    padded(IMAGE, 2, 1, 3, 0, mode="reflect"),
    padded(IMAGE, 2, 1, 3, 0, mode="replicate"),
    padded(IMAGE, 2, 1, 3, 0, mode="circular"),
    Case("pad int", lambda x: ops.pad(x, (1, 1)), lambda x: F.pad(x, (1, 1)), (NS,), ("float32",), False, ("int64",)),
    moved("flip", lambda m, x: m.flip(x, (1, 2))),
    moved("flip batch", lambda m, x: m.flip(x, (0,))),
    moved("roll", lambda m, x: m.roll(x, 2, 1)),
    moved("roll dynamic", lambda m, x: m.roll(x, (1, -1), (0, 2)), ("n", 3, "w")),
    Case("repeat", lambda x: ops.repeat(x, (2, 1, 3)), lambda x: x.repeat(2, 1, 3), (NS,)),
    Case("repeat new axis", lambda x: ops.repeat(x, (2, 1, 2, 1)), lambda x: x.repeat(2, 1, 2, 1), (NS,)),
    moved("repeat_interleave", lambda m, x: m.repeat_interleave(x, 2, 1)),
    moved("repeat_interleave dynamic", lambda m, x: m.repeat_interleave(x, 3, 2)),
    moved("tril", lambda m, x: m.tril(x), ("n", 4, 5)),
    moved("triu dynamic", lambda m, x: m.triu(x, 1), ("n", "h", "w")),
    moved("tril dynamic", lambda m, x: m.tril(x, -1), ("n", "h", "w")),
    Case(
        "one_hot",
        lambda x: ops.one_hot(abs(x), 6),
        lambda x: F.one_hot(abs(x), 6),
        (("n", "s"),),
        ("float32",),
        input_dtypes=("int64",),
    ),
    indexed("scatter_add"),
    Case("scatter", distinct_scatter, distinct_scatter, (("n", 4, 3), ("n", 2, 3))),
    Case("index_select", selected, selected, (NS,)),
    *(bag(mode) for mode in ("mean", "sum", "max")),
    moved("like", ones_of),
    moved("eye", eye_of, ("n", 3, 4)),
    moved("eye dynamic", dynamic_eye, ("n", "s", "s")),
    moved("linspace", line, ("n", 5)),
    fake_quantized(None),
    fake_quantized(1),
]
