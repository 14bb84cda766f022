"""Boxes are around what touches; they grow as the original's do."""

from __future__ import annotations

import numpy as np
import pytest

from trtnet import InputError
from trtnet.models.text_lines import Box, regions, text_lines


def flooded(mask: np.ndarray) -> list[Box]:
    """The same by spreading from pixel to pixel."""
    left, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        part, edge = set(), {min(left)}
        while edge:
            part |= edge
            near = {(y + i, x + j) for y, x in edge for i in (-1, 0, 1) for j in (-1, 0, 1)}
            edge = (near & left) - part
        left -= part
        rows, columns = zip(*part, strict=True)
        found.append(Box(min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return found


def test_a_batch_is_no_image() -> None:
    with pytest.raises(InputError, match=r"probabilities\[0\] of a batch; found \[1, 9, 9\]"):
        text_lines(np.ones((1, 9, 9)))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.45, 0.6, 0.9])
def test_regions_are_those_that_spreading_finds(share: float) -> None:
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 30), (30, 1), (17, 29), (40, 40)):
        mask = rng.random((height, width)) < share
        assert sorted(regions(mask)) == sorted(flooded(mask))


@pytest.mark.parametrize(
    "drawing",
    [
        "",
        "....",
        "#",
        "#.#\n#.#\n###",
        "#.#.#\n#.#.#\n.#.#.",
        "###\n..#\n###\n#..\n###",
        "#..#\n.##.\n#..#",
        "##.##\n.....\n##.##",
    ],
)
def test_regions_of_shapes_that_join_late(drawing: str) -> None:
    mask = np.array([[c == "#" for c in row] for row in drawing.split("\n")], bool)
    assert sorted(regions(mask)) == sorted(flooded(mask))


def test_lines_grow_by_their_area_over_their_circumference() -> None:
    page = np.zeros((100, 200), np.float32)
    page[20:30, 40:140] = 0.9
    page[60:70, 2:50] = 0.6
    more = round(100 * 10 * 1.6 / 220)
    assert text_lines(page)[0] == Box(40 - more, 20 - more, 140 + more, 30 + more)
    assert text_lines(page)[1] == Box(0, 53, 57, 77)  # inside the page
    assert text_lines(page, growth=0) == [Box(40, 20, 140, 30), Box(2, 60, 50, 70)]


def test_what_is_thin_or_unlikely_is_no_line() -> None:
    page = np.zeros((50, 50), np.float32)
    page[5:7, 5:40] = 1.0
    page[20:30, 5:40] = 0.4
    assert text_lines(page) == []
    assert len(text_lines(page, mean=0.35)) == len(text_lines(page, thinnest=2)) == 1
    assert text_lines(np.zeros((0, 5), np.float32)) == []
