"""Structures are walked in one way: what is in them, and the same with other leaves."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest

from trtnet.graph import Dim, Input, Network
from trtnet.graph.structures import leaves, mapped

Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: Any
    b: Any = dataclasses.field(init=False, repr=False)


@dataclasses.dataclass
class Named(OrderedDict):  # as transformers' results are
    a: Any = None

    def __post_init__(self) -> None:
        self["a"] = self.a

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)


@dataclasses.dataclass(slots=True)
class Slotted:
    a: Any


CASES = {
    "number": (1, [1]),
    "list": ([1, [2], ()], [1, 2]),
    "dict": ({"a": 1, "b": {"c": 2}}, [1, 2]),
    "named tuple": (Pair(1, (2, None)), [1, 2, None]),
    "dataclass": (Slotted([1, 2]), [1, 2]),
    "frozen, without a field": (Frozen(1), [1]),
    "a dict with fields": (Named(1), [1]),
    "ordered": (OrderedDict(a=1), [1]),
    "default": (defaultdict(list, a=[1]), [1]),
    "slice": (slice(1, None), [1, None, None]),
}


@pytest.mark.parametrize("name", CASES)
def test_leaves_in_order_and_the_same_structure_with_others(name: str) -> None:
    value, expected = CASES[name]
    assert list(leaves(value)) == expected
    changed = mapped(value, lambda leaf: leaf and leaf + 1)
    assert type(changed) is type(value)
    assert list(leaves(changed)) == [leaf and leaf + 1 for leaf in expected]
    assert list(leaves(value)) == expected  # that of before is as it was


@pytest.mark.parametrize("name", CASES)
def test_where_nothing_changes_it_is_the_very_object(name: str) -> None:
    value, _ = CASES[name]
    assert mapped(value, lambda leaf: leaf) is value


def test_parts_that_do_not_change_are_the_very_objects() -> None:
    kept = {"a": [1]}
    changed = mapped([kept, 2], lambda leaf: 3 if leaf == 2 else leaf)
    assert changed == [kept, 3] and changed[0] is kept


def test_a_field_of_a_dict_with_fields_changes_in_both() -> None:
    changed = mapped(Named(1), lambda leaf: leaf + 1)
    assert changed.a == changed["a"] == 2


def test_a_size_is_not_a_structure() -> None:
    size = Network().add_input("x", Input(("batch",))).shape[0]
    assert isinstance(size, Dim)
    assert list(leaves([size])) == [size]
