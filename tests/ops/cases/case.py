"""The table of operations: ours, torch's, and the shapes they are compared at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor

import trtnet
from trtnet import ops

FLOATS = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Case:
    """One row: our function, torch's, the shapes of the inputs with dynamic axes as names."""

    name: str
    ours: Callable[..., Any]
    torch: Callable[..., Any]
    shapes: tuple[tuple[int | str, ...], ...]
    dtypes: tuple[str, ...] = FLOATS
    positive: bool = False
    input_dtypes: tuple[str, ...] = ()


NS, IMAGE = ("n", 3, "s"), ("n", 4, "h", "w")
SIZES = {"n": (1, 2, 3), "h": (6, 7, 9), "w": (6, 8, 11), "s": (1, 5, 7)}


def same(name: str, function: Callable[..., Any], *shapes: tuple[int | str, ...], **options: Any) -> Case:
    """A function that reads the same on our tensors and torch's."""
    return Case(name, function, function, shapes, **options)


def of_both(name: str, call: Callable[[Any, Any], Any], *shapes: tuple[int | str, ...], **options: Any) -> Case:
    """A function of (library, x...)."""
    ours, theirs = (lambda *x: call(ops, *x)), (lambda *x: call(torch, *x))
    return Case(name, ours, theirs, shapes or (NS,), **options)


def either(name: str, function: Callable[..., Any], *shapes: tuple[int | str, ...], **options: Any) -> Case:
    """A function of a library of functions and tensors: trtnet.ops, or torch.nn.functional."""
    return Case(name, lambda *x: function(ops, *x), lambda *x: function(F, *x), shapes, **options)


def functional(name: str, shape: tuple[int | str, ...], *arguments: Any, **options: Any) -> Case:
    """A function of torch.nn.functional, with arguments."""
    ours, theirs = getattr(ops, name), getattr(F, name)
    return Case(
        f"{name} {arguments} {options}",
        lambda x: ours(x, *arguments, **options),
        lambda x: theirs(x, *arguments, **options),
        (shape,),
    )


def library(x: Any) -> Any:
    return torch if isinstance(x, torch.Tensor) else ops


def like(array: np.ndarray, x: Any) -> Any:
    """A constant in the dtype and of the kind of `x`."""
    return torch.as_tensor(array).to(x.dtype) if isinstance(x, torch.Tensor) else array.astype(x.dtype.numpy)


def concrete(shape: tuple[int | str, ...], which: int) -> tuple[int, ...]:
    return tuple(SIZES[size][which] if isinstance(size, str) else size for size in shape)


def example(case: Case, dtype: str, shapes: list[tuple[int, ...]]) -> list[torch.Tensor]:
    kinds = case.input_dtypes or (dtype,) * len(shapes)
    tensors = [
        random_tensor(*shape, dtype=kind, seed=i) for i, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))
    ]
    return [x.abs() + 0.1 for x in tensors] if case.positive else tensors


def names(case: Case) -> list[str]:
    return [f"x{i}" for i in range(len(case.shapes))]


def declared(case: Case, dtype: str, shapes: list[tuple[int | str, ...]]) -> dict[str, trtnet.Input]:
    kinds = case.input_dtypes or (dtype,) * len(shapes)
    return {n: trtnet.Input(s, k) for n, s, k in zip(names(case), shapes, kinds, strict=True)}


def define(case: Case, dtype: str, shapes: list[tuple[int | str, ...]]) -> Any:
    return network_of(case.ours, declared(case, dtype, shapes), dtype)


def define_together(cases: Sequence[Case], dtype: str) -> Any:
    """The rows beside one another in one network; the outputs are in their order."""
    specs: dict[str, trtnet.Input] = {}
    takes: list[list[str]] = []
    for index, case in enumerate(cases):
        own = {f"{name}_{index}": spec for name, spec in declared(case, dtype, list(case.shapes)).items()}
        takes.append([*own])
        specs |= own

    def results(*tensors: Any) -> dict[str, Any]:
        given = dict(zip(specs, tensors, strict=True))
        return {
            f"y_{index}": case.ours(*(given[name] for name in names))
            for index, (case, names) in enumerate(zip(cases, takes, strict=True))
        }

    return network_of(results, specs, dtype)


def expected(case: Case, inputs: list[torch.Tensor]) -> torch.Tensor:
    """torch's result at the inputs' own values, computed wide."""
    wide = [x.double() if x.is_floating_point() else x for x in inputs]
    return case.torch(*wide)


def native_dtype(case: Case, inputs: list[torch.Tensor]) -> torch.dtype:
    """What torch gives these inputs; where its CPU has no kernel for a 16-bit float, it would be that."""
    try:
        return case.torch(*inputs).dtype
    except RuntimeError as error:
        assert "not implemented for" in str(error)
        return inputs[0].dtype
