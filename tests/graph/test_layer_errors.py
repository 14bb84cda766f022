"""A refused layer is an error at the line that asked for it, in the words of the user's own program."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.comparing import network_of

import trtnet
from trtnet import nn, ops
from trtnet.support.errors import LayerError, ModelError
from trtnet.support.source import SourceLine, at


class Block(nn.Module):
    def __init__(self) -> None:
        self.conv1 = nn.Conv2d(64, 64, 3, padding=1, bias=False)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.relu(self.conv1(x))


class Model(nn.Module):
    def __init__(self) -> None:
        self.layer1 = nn.Sequential(Block())

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.layer1(x)


def test_the_error_of_the_design_page() -> None:
    weights = {"layer1.0.conv1.weight": np.ones((64, 64, 3, 3), np.float32)}
    with pytest.raises(LayerError) as caught:
        trtnet.define(Model(), {"x": trtnet.Input(("batch", 32, 56, 56))}, weights, dtype="float16")
    headline, where, x, weight, *words = str(caught.value).splitlines()
    assert headline == "layer1.0.conv1: convolution got an input with 32 channels, but its kernel has 64"
    assert re.fullmatch(r"  in tests/graph/test_layer_errors\.py:\d+   return ops\.relu\(self\.conv1\(x\)\)", where)
    assert x == "  x       [batch, 32, 56, 56] float16"
    assert weight == "  weight  [64, 64, 3, 3] float16   (checkpoint key layer1.0.conv1.weight)"
    assert words[0] == "  TensorRT: kernel weights has count 36864 but 18432 was expected"
    assert not any("cudaError" in line or "/_src/" in line for line in words)


X, Y = ("n", 3, 8), ("n", 5, 8)
REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "broadcast": (lambda x, y: x + y, r"add got shapes that do not broadcast.*\n.*\n  x  .*3, 8.*\n  y  .*5, 8"),
    "matmul": (lambda x, y: x @ y, r"matmul got 8 columns on the left and 5 rows on the right"),
    "matmul dtypes": (lambda x, y: x @ y.half(), r"matmul of float32 and float16"),
    "reshape": (lambda x, y: x.reshape(x.shape[0], 7), r"reshape of \[n, 3, 8\] to \[n, 7\]: the number of elements"),
    "reshape divides": (lambda x, y: x[0].reshape(5, -1), r"reshape of \[3, 8\] to \[5, -1\]: the number of elements"),
    "two wildcards": (lambda x, y: x.reshape(-1, -1), r"only one size can be -1"),
    "axis": (lambda x, y: x.sum(3), r"sum got dim=3, its input has 3 dimensions"),
    "permute": (lambda x, y: x.permute(0, 1), r"permute got dims=\(0, 1\), its input has 3 dimensions"),
    "index range": (lambda x, y: x[:, 3], r"index 3 is out of range for dimension 1 of size 3"),
    "index count": (lambda x, y: x[0, 0, 0, 0], r"too many indices: 4 for 3 dimensions"),
    "index type": (
        lambda x, y: x["a"],
        r"an index is an int, .* a tensor of integers, found str",
    ),
    "index step": (lambda x, y: x[:, ::-1], r"slice step must be positive, found -1; ops.flip goes backwards"),
    "expand": (lambda x, y: x.expand(-1, 4, -1), r"only axes of size 1 grow"),
    "concatenation": (lambda x, y: ops.cat([x, y], 2), r"TensorRT refused cat\n(.*\n)*  inputs\[1\]  \[n, 5, 8\]"),
    "mean of ints": (lambda x, y: x.to("int64").mean(), r"mean takes a floating tensor, found int64"),
    "padding": (lambda x, y: ops.max_pool2d(x[None], 2, padding=2), r"more than half of the window"),
    "conv rank": (lambda x, y: ops.conv2d(x[0], np.ones((1, 3, 1, 1), np.float32)), r"input of 4 dimensions, found 2"),
    "conv dtype": (
        lambda x, y: ops.conv2d(x[None], np.ones((1, 3, 1, 1), np.float16)),
        r"convolution got an input of float32, its kernel is float16",
    ),
    "gather rank": (lambda x, y: ops.gather(x, 1, y[0, 0].long()), r"gather takes an index of .* input, 3, found 1"),
    "scatter rank": (lambda x, y: x.scatter(1, y[0].long(), 1.0), r"scatter takes an index of .* input, 3, found 2"),
    "index_add rank": (lambda x, y: x.index_add(1, y[0].long(), x), r"index_add takes an index of one dim.*found 2"),
    "mask as index": (lambda x, y: x[x > 0], r"nonzero: .* no kernels .* use a mask with ops.where"),
    "floats as index": (lambda x, y: x[y], r"a tensor that is an index has integers or is a mask, found"),
    "list index range": (lambda x, y: x[:, [0, 3]], r"index \[0, 3\] is out of range for a dimension of size 3"),
    "assignment": (lambda x, y: operator.setitem(x, 0, x.mean(2)[0]), r"does not broadcast to \[3, 8\]"),
    "float64": (lambda x, y: x.double(), r"double: TensorRT has no float64; float\(\) gives float32"),
    "t": (lambda x, y: x.t(), r"t takes at most two dimensions, found 3"),
    "mm rank": (lambda x, y: ops.mm(x, y), r"mm takes two tensors of rank 2, found 3 and 3"),
    "bmm rank": (lambda x, y: x[0].bmm(y), r"bmm takes two tensors of rank 3, found 2 and 3"),
    "outer rank": (lambda x, y: ops.outer(x, y), r"outer takes two tensors of rank 1, found 3 and 3"),
    "unbind of dynamic": (lambda x, y: x.unbind(0), r"unbind needs the size of dim=0, found n"),
    "split of dynamic": (lambda x, y: x.split(2, 0), r"split of n by 2 has a number of parts .* chunk and"),
    "narrow": (lambda x, y: x.narrow(1, 2, 2), r"narrow got start=2 and length=2, dim=1 has 3"),
    "movedim": (lambda x, y: x.movedim((0, 0), (1, 2)), r"movedim got source=\(0, 0\) and destination=\(1, 2\)"),
    "meshgrid": (lambda x, y: ops.meshgrid(x, y), r"meshgrid takes vectors, found 3 dimensions"),
    "dropout": (lambda x, y: ops.dropout(x), r"dropout: an engine does not train; write training=self\.training"),
    "floor of bools": (lambda x, y: ops.floor(x > 0), r"floor does not take bool"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_line_and_the_operands(name: str) -> None:
    function, pattern = REFUSED[name]
    with pytest.raises(LayerError, match=pattern) as caught:
        network_of(function, {"x": trtnet.Input(X), "y": trtnet.Input(Y)})
    assert re.search(r"\n  in tests/graph/test_layer_errors\.py:\d+   ", str(caught.value))
    assert re.search(r"\n  \S+ +\[.*\] \w+", str(caught.value))


STEERED: dict[str, tuple[Callable[..., Any], str]] = {
    "a dimension": (lambda x: x if x.shape[0] > 1 else -x, "dimension n is known only when the engine runs"),
    "a size": (
        lambda x: list(range((4 - x.shape[0] % 4) % 4)),
        "a size computed from n is known only when the engine runs",
    ),
    "a tensor": (lambda x: x if x else -x, r"Tensor\('x', \[n, 2\], float32\) has no value .* ops\.where\."),
    "an iteration": (lambda x: [*x], r"cannot iterate over Tensor\('x', \[n, 2\], float32\)"),
    "an item": (lambda x: x.item(), r"Tensor\(.*no values while .*: compute with it as a tensor, without item"),
    "an item of several": (lambda x: ops.arange(2).item(), "item\\(\\) takes the one element of a tensor"),
}


@pytest.mark.parametrize("name", STEERED)
def test_what_is_known_only_at_run_time_cannot_steer_python(name: str) -> None:
    function, pattern = STEERED[name]
    with pytest.raises(ModelError, match=rf"^{pattern}.*\n  in tests/graph/test_layer_errors\.py:\d+   \S"):
        network_of(function, {"x": trtnet.Input(("n", 2))})


def test_the_length_of_a_tensor() -> None:
    network_of(lambda x: x[0] * len(x[0]), {"x": trtnet.Input((2, 3))})
    with pytest.raises(ModelError, match=r"Tensor\('x', \[n, 2\], float32\) has no length"):
        network_of(lambda x: x * len(x), {"x": trtnet.Input(("n", 2))})


def test_numpy_has_no_values_of_a_tensor() -> None:
    table = np.arange(3)
    for call in (np.asarray, lambda x: table[x]):
        with pytest.raises(ModelError, match=r"Tensor\('x', \[2, 3\], int64\) has no values for numpy .* trtnet\.ops"):
            network_of(call, {"x": trtnet.Input((2, 3), "int64")})


def test_a_linear_layer_shows_its_weight() -> None:
    model = nn.Sequential(nn.Linear(6, 3))
    weights = {"0.weight": np.ones((3, 6), np.float32), "0.bias": np.ones(3, np.float32)}
    with pytest.raises(LayerError, match="0: matmul got 8 columns on the left and 6 rows on the right") as caught:
        trtnet.define(model, {"x": trtnet.Input(("n", 8))}, weights)
    assert str(caught.value).splitlines()[2:4] == [
        "  x       [n, 8] float32",
        "  weight  [3, 6] float32   (checkpoint key 0.weight)",
    ]

    class Mixed(nn.Module):
        def __init__(self) -> None:
            self.linear = nn.Linear(6, 3)

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.linear(x.float())

    renamed = {f"linear{key.removeprefix('0')}": value for key, value in weights.items()}
    with pytest.raises(LayerError, match="linear: matmul of float32 and float16") as caught:
        trtnet.define(Mixed(), {"x": trtnet.Input(("n", 6))}, renamed, dtype="float16")
    assert str(caught.value).splitlines()[2:] == [
        "  x       [n, 6] float32",
        "  weight  [3, 6] float16   (checkpoint key linear.weight)",
    ]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda x: ops.gelu_(x),
            r"trtnet\.ops has no 'gelu_'; there is no such operation in place; x = gelu\(x\) makes another",
        ),
        (lambda x: ops.einsm("ij->ji", x), r"trtnet\.ops has no 'einsm'; did you mean einsum\?"),
        (lambda x: ops.fft(x), r"trtnet\.ops has no 'fft'$"),
        (lambda x: nn.Conv4d(1, 1, 1), r"trtnet\.nn has no 'Conv4d'; did you mean Conv3d or Conv2d\?"),
        (lambda x: nn.functional.relu(x), r"trtnet\.nn has no 'functional'; its functions are in trtnet\.ops"),
        (lambda x: nn.relu(x), r"trtnet\.nn has no 'relu'; use ops\.relu"),
        (lambda x: x.contigous(), r"a Tensor has no 'contigous'; did you mean contiguous or is_contiguous\?"),
        (lambda x: x.gelu_(), r"a Tensor has no 'gelu_'; there is no such operation in place; x = gelu\(x\) makes"),
        (lambda x: x.squeeze_(), r"a Tensor has no 'squeeze_'; it would change the shape .* x = x\.squeeze"),
        (lambda x: x.normal_(), r"a Tensor has no 'normal_'; an engine's random numbers are those of ops\.rand"),
        (lambda x: x.dato, r"a Tensor has no 'dato'$"),
        (lambda x: x.gelu(), r"a Tensor has no 'gelu'; use ops\.gelu\(x\)"),
    ],
)
def test_an_unknown_name(call: Callable[..., Any], text: str) -> None:
    with pytest.raises(AttributeError, match=f"^{text}"):
        network_of(call, {"x": trtnet.Input(("n", 2))})


def test_asking_for_a_name_goes_on_working() -> None:
    network = network_of(lambda x: x * 2, {"x": trtnet.Input(("n", 2))})
    x = network.inputs["x"]
    assert not hasattr(x, "contigous") and not hasattr(x, "__dlpack__") and hasattr(x, "contiguous")
    assert not hasattr(ops, "gelu_") and not hasattr(nn, "relu") and getattr(ops, "fft", None) is None


def test_a_module_needs_a_definition() -> None:
    with pytest.raises(ModelError, match=r"inside trtnet\.define"):
        nn.ReLU()(None)


def test_modules_in_a_plain_list_are_refused() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            self.layers = [nn.Linear(2, 2)]

        def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
            return self.layers[0](x)

    with pytest.raises(ModelError, match=r"Hidden\.layers is a plain list of modules.*ModuleList"):
        trtnet.define(Hidden(), {"x": trtnet.Input((1, 2))}, {})


def test_a_parameter_outside_the_tree_is_refused() -> None:
    loose = nn.Linear(2, 2)
    with pytest.raises(ModelError, match=r"Parameter\(2, 2\), which is not an attribute of any module"):
        network_of(lambda x: loose(x), {"x": trtnet.Input((1, 2))})


@pytest.mark.parametrize(
    ("shape", "dtype", "text"),
    [
        ((-1, 3), None, "write a dynamic axis as a name"),
        ((1.5, 3), None, "an int or a name"),
        (("n", 3), "float17", "unknown dtype 'float17'"),
    ],
)
def test_bad_inputs(shape: Any, dtype: str | None, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        trtnet.Input(shape, dtype)


def test_forward_must_return_tensors() -> None:
    with pytest.raises(ModelError, match="must return a tensor, several tensors, or a dict; found None"):
        network_of(lambda x: None, {"x": trtnet.Input((1, 2))})
    with pytest.raises(ModelError, match=r"returns a dict with the key 8; outputs are named by texts"):
        network_of(lambda x: {8: x * 2}, {"x": trtnet.Input((1, 2))})


@pytest.mark.parametrize(
    ("result", "kind"),
    [(lambda x: (x, (-x, x)), "tuple"), (lambda x: {"x2": x, "state": {"h": x}}, "dict"), (lambda x: [x, [x]], "list")],
)
def test_what_forward_returns_is_flat(result: Any, kind: str) -> None:
    with pytest.raises(ModelError, match=rf"a nested {kind} \((output1|state)\).*: flatten it, as in return x, h, c"):
        network_of(result, {"x": trtnet.Input((1, 2))})


def test_names_are_unique() -> None:
    with pytest.raises(
        ModelError, match=r"the name 'x' is taken: it is an input's.* declared: inputs = \{'x': trtnet.State"
    ):
        network_of(lambda x: {"x": -x}, {"x": trtnet.Input((1, 2))})
    network = trtnet.graph.Network("float32")
    network.mark_output("y", network.add_input("x", trtnet.Input((1, 2))))
    with pytest.raises(ModelError, match="the name 'y' is taken: inputs and outputs need names of their own"):
        network.mark_output("y", network.inputs["x"])


@pytest.mark.parametrize("python", [float, int, math.sqrt])
def test_a_tensor_is_no_number_of_python(python: Callable[[Any], Any]) -> None:
    with pytest.raises(ModelError, match=r"(float|int)\(\) of Tensor.* has no value .*: compute with it as a tensor"):
        network_of(lambda x: x * python(x.sum()), {"x": trtnet.Input(("n", 2))})


def test_a_line_that_is_not_at_hand_leaves_no_blanks() -> None:
    assert at(SourceLine("nowhere/gone.py", 3), "refused") == "refused\n  in nowhere/gone.py:3"
