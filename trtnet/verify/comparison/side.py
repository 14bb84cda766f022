"""One side of a comparison: what gives outputs by name for inputs by name, and what is known of its numbers."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError
from trtnet.support.text.counted import an
from trtnet.verify.arrays.feeding import Array, Arrays, Notes


@dataclass(frozen=True)
class Results:
    """Outputs by name, and notes of what had to be done to get them. others: types of results that are no arrays."""

    outputs: Arrays
    notes: Notes = ()
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def remarks(self) -> Notes:
        """The notes, and what was left out."""
        left = ", ".join(f"{name} ({kind})" for name, kind in self.others.items())
        return (*self.notes, f"results left out, no arrays: {left}") if left else self.notes


class Numerics(Protocol):
    """What is known of the numbers of one side.

    computed: the floating dtypes in which it computes, as far as known: those it was defined in, where it says so: a
    cast that strayed into it must not loosen what it is held to. declared: those that it was made with, none if
    that is not known. is_typed: whether its outputs have their own dtypes: a file may hold integers as floats.
    whole: outputs without dtypes that are whole numbers in all iterations. on_a_gpu: whether TensorRT's kernels compute
    it.
    """

    @property
    def computed(self) -> frozenset[str]: ...
    @property
    def declared(self) -> frozenset[str]: ...
    @property
    def is_typed(self) -> bool: ...
    @property
    def whole(self) -> frozenset[str]: ...
    @property
    def on_a_gpu(self) -> bool: ...


@runtime_checkable
class Side(Numerics, Protocol):
    """Something to compare. kind: in a word or two. takes: the inputs it declares, () if it declares none."""

    kind: str
    takes: tuple[TensorInfo, ...]

    def run(self, iteration: int, inputs: Mapping[str, Array]) -> Results:
        """The outputs for the inputs of one iteration. Raises InputError for inputs it cannot take."""
        ...


_NUMBERS = ("bool", "int", "float", "complex")
"""Types of results that could be compared and are no arrays."""


def check_numbers(
    reference: str, expected: Results, name: str, found: Container[str], others: Mapping[str, str] | None = None
) -> None:
    """Raises InputError for a number that one side gives in place of an array, or both do: it is not compared.

    found: the outputs of the other side, others: what it gives beside them.
    """
    for output, kind in expected.others.items():
        if output in found or {kind, (others or {}).get(output)}.issubset(_NUMBERS):
            raise InputError(
                f"output {output} of {reference} is no array, but {an(kind)}; {name} gives it too: return it as"
                f" an array, or say which to compare: outputs={{'y': 'y'}} (--output y=y) for each"
            )
