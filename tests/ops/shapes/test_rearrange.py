"""Elements in other places: rolls, repeats, triangles, diagonals, windows, grids, against torch."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.comparing import network_of, random_tensor
from helpers.ops.both_libraries import defined, same_as_torch

import trtnet
from trtnet import ops
from trtnet.support.errors import LayerError

X = random_tensor(3, 4, 6)

SAME = {
    "roll": lambda m, x: m.roll(x, 1, 1),
    "roll by Dims": lambda m, x: m.roll(x, (x.shape[1] // 2, -x.shape[0] if m is torch else 0 - x.shape[0]), (1, 2)),
    "roll back by a window": lambda m, x: x.roll([0 - x.shape[1] // 2, 1], dims=[1, 1]),
    "roll of all": lambda m, x: m.roll(x, 5),
    "roll numpy": lambda m, x: m.roll(x, np.int64(-2).item() if m is torch else np.int64(-2), 0),
    "flip": lambda m, x: m.flip(x, [0, -1]),
    "fliplr": lambda m, x: m.fliplr(x) + m.flipud(x),
    "rot90": lambda m, x: m.rot90(x, 1, [1, 2]),
    "rot90 three": lambda m, x: m.rot90(x, 3, [0, 2]) * 2,
    "repeat": lambda m, x: x.repeat(2, 1, 1, 3),
    "repeat by Dims": lambda m, x: x.repeat(1, x.shape[0], 1),
    "repeat none": lambda m, x: x.repeat(0, 1, 1),
    "tile": lambda m, x: x.tile((2, 1)),
    "repeat_interleave": lambda m, x: m.repeat_interleave(x, 3, 1),
    "repeat_interleave by a Dim": lambda m, x: m.repeat_interleave(x, x.shape[0], dim=1),
    "repeat_interleave of all": lambda m, x: m.repeat_interleave(x, 2),
    "tril": lambda m, x: m.tril(x, 1) + x.triu(-1),
    "triangle by a Dim": lambda m, x: m.tril(x, x.shape[1] - 3),
    "triangle of bools": lambda m, x: m.tril(x > 0),
    "triangle of ints": lambda m, x: m.triu((x * 3).int(), 1),
    "diagonal": lambda m, x: x.diagonal(1, 1, 2),
    "diagonal below": lambda m, x: m.diagonal(x, -2, -1, 0),
    "diagonal of nothing": lambda m, x: x.diagonal(9),
    "diag": lambda m, x: m.diag(x[0], -1),
    "diag of a vector": lambda m, x: m.diag(x[0, 0], -2),
    "diag_embed": lambda m, x: m.diag_embed(x, 1, 0, 2),
    "trace": lambda m, x: m.trace(x[0]),
    "meshgrid of a list": lambda m, x: m.meshgrid([x[0, :, 0], x[0, 0]], indexing="xy"),
    "meshgrid": lambda m, x: m.meshgrid(x[0, :, 0], x[0, 0], x[:, 0, 0], indexing="ij"),
    "broadcast_tensors": lambda m, x: m.broadcast_tensors(x[:, :1], x[0]),
    "atleast": lambda m, x: m.atleast_3d(x[0, 0]) + m.atleast_2d(x[0, 0, 0]),
    "dstack": lambda m, x: m.dstack([x[0], x[0]]),
    "column_stack": lambda m, x: m.column_stack([x[:, 0, 0], x[:, 0]]),
    "windows": lambda m, x: x.unfold(2, 3, 1),
    "windows of a middle axis": lambda m, x: x.unfold(1, 2, 2),
    "windows that leave some": lambda m, x: x.unfold(-1, 4, 4),
    "windows far apart": lambda m, x: x.unfold(2, 2, 3),
    "narrow": lambda m, x: m.narrow(x, 1, x.shape[1] - 2, 1),
    "narrow from the end": lambda m, x: m.narrow(x, 1, -2, 2),
}


@pytest.mark.parametrize("name", SAME)
def test_equals_torch(name: str) -> None:
    same_as_torch(SAME[name], X)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16"])
def test_every_dtype(dtype: str) -> None:
    x = (X * 2).abs().to(getattr(torch, dtype))
    same_as_torch(lambda m, x: m.roll(x, 1, 1).flip(0).repeat(1, 2, 1), x)
    same_as_torch(lambda m, x: m.tril(x), x)
    same_as_torch(lambda m, x: x.diagonal(), x)
    same_as_torch(lambda m, x: x.unfold(1, 2, 1), x)


def test_repeats_that_are_known_or_not() -> None:
    times = torch.tensor([2, 0, 1, 3])
    known = lambda m: times if m is torch else times.numpy()  # noqa: E731
    same_as_torch(lambda m, x: m.repeat_interleave(x, known(m), dim=1), X, dynamic=False)
    same_as_torch(lambda m, x, t: m.repeat_interleave(x, t, dim=1, output_size=6), X, times)
    same_as_torch(lambda m, x, t: m.repeat_interleave(t, output_size=6), X, times)
    with pytest.raises(LayerError, match="give output_size=, their sum"):
        defined(lambda m, x, t: m.repeat_interleave(x, t, dim=1), [X, times])


def test_triangles_as_indices() -> None:
    same_as_torch(lambda m, x: m.tril_indices(3, 4, -1) + m.triu_indices(3, 4, 2)[:, :1], X, dynamic=False)
    same_as_torch(lambda m, x: m.tril_indices(2, 2, -5), X, dynamic=False)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (3, {}),
        (2, {"stride": 2}),
        ((3, 2), {"stride": (2, 1), "dilation": (1, 2), "padding": (2, 1)}),
        ((1, 4), {"stride": (1, 3)}),
    ],
)
def test_blocks_as_columns(kernel: Any, options: dict[str, Any]) -> None:
    image = random_tensor(2, 3, 7, 9)
    same_as_torch(lambda m, x: (F if m is torch else m).unfold(x, kernel, **options), image)
    same_as_torch(lambda m, x: (F if m is torch else m).unfold(x[0], kernel, **options), image)


def test_frames_of_audio_are_one_layer_and_build_in_about_a_second() -> None:
    network = defined(lambda m, x: m.unfold(x, (1, 1024), stride=(1, 160)) * 1, [random_tensor(1, 1, 1, 16000)])
    kinds = [network.trt.get_layer(i).type.name for i in range(network.trt.num_layers)]
    assert kinds.count("GATHER") == 1 and "SLICE" not in kinds
    start = time.perf_counter()
    network.build()
    assert time.perf_counter() - start < 20  # ten minutes with a slice for each element; other tests run beside it
    network_of(lambda x: x.unfold(1, 1024, 160) * 1, {"x": trtnet.Input(("n", "t"))}).build(
        {"n": (1, 2, 4), "t": (1024, 16000, 160000)}
    )


REFUSED = {
    "a long window": (lambda x: x.unfold(1, 5, 1), "a window of 5 elements for an axis of size 4"),
    "no step": (lambda x: x.unfold(1, 2, 0), "above 0"),
    "repeat": (lambda x: x.repeat(2), "repeat got"),
    "repeats": (lambda x: ops.repeat_interleave(x, [1, 2], 1), "takes 4 repeats along dim=1"),
    "roll": (lambda x: ops.roll(x, (1, 2), 1), "2 shifts for 1 dim"),
    "a float": (lambda x: ops.roll(x, 0.5, 1), "roll takes ints and sizes, found 0.5"),
    "meshgrid": (lambda x: ops.meshgrid(x[0, 0], indexing="yx"), "indexing is 'ij' or 'xy'"),
    "diagonal": (lambda x: x.diagonal(0, 1, 1), "needs two axes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_an_error_at_the_line(name: str) -> None:
    function, text = REFUSED[name]
    with pytest.raises(LayerError, match=text) as caught:
        network_of(function, {"x": trtnet.Input(tuple(X.shape))})
    assert "test_rearrange.py" in str(caught.value)


@pytest.mark.parametrize("name", ["roll by Dims", "diagonal", "windows", "diag_embed", "triangle of bools"])
def test_they_build_ahead_of_time(name: str) -> None:
    network = defined(SAME[name], [X], dynamic=True)
    assert len(network.build({"s3": (1, 3, 5), "s4": (2, 4, 6), "s6": (6, 6, 12)}).plan.data) > 1000
