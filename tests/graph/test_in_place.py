"""Writes in place are torch's: small programs over both, and what is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import Function, network_of, random_tensor
from helpers.graph.programs_in_place import PROGRAMS, REFUSED, Program

import trtnet
from trtnet import nn, ops
from trtnet.definition import DefinedNetwork
from trtnet.ops.arguments.aliasing import VIEWS
from trtnet.ops.writes.in_place import FUNCTIONS, METHODS
from trtnet.support.errors import LayerError, ModelError


class Both:
    """torch's functions: those of torch.nn.functional, and those of torch."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.nn.functional, name, None) or getattr(torch, name)


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    return random_tensor(4, 6, seed=1), random_tensor(4, 6, seed=2)


def results(values: Any) -> list[Any]:
    return list(values) if isinstance(values, tuple | list) else [values]


def defined(program: Program, *shape: int | str) -> DefinedNetwork:
    return network_of(
        lambda x, y: tuple(results(program(ops, nn, x, y))), {"x": trtnet.Input(shape), "y": trtnet.Input(shape)}
    )


def run(network: DefinedNetwork, *tensors: torch.Tensor) -> list[Any]:
    outputs = network.reference()(*(x.numpy() for x in tensors))
    return list(outputs.values()) if isinstance(outputs, dict) else results(outputs)


def check(found: list[Any], expected: list[torch.Tensor]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        array = np.asarray(ours)
        assert str(array.dtype) == str(theirs.dtype)[6:]
        assert array.shape == tuple(theirs.shape)
        tolerance = 1e-3 if theirs.dtype == torch.float16 else 1e-5
        np.testing.assert_allclose(array.astype(np.float64), theirs.double().numpy(), rtol=tolerance, atol=tolerance)


def by_torch(program: Program) -> list[torch.Tensor]:
    x, y = inputs()
    return [z.clone() for z in results(program(Both(), torch.nn, x, y))]


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_is_torchs(program: Program) -> None:
    check(run(defined(program, 4, 6), *inputs()), by_torch(program))


def test_there_are_many_programs() -> None:
    assert len(PROGRAMS) + len(REFUSED) >= 80


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_of_a_dynamic_batch_is_torchs_or_refused(program: Program) -> None:
    expected = by_torch(program)
    try:
        network = defined(program, "n", 6)
    except (LayerError, ModelError) as error:
        assert "programs_in_place.py:" in str(error)
        return
    check(run(network, *inputs()), expected)


@pytest.mark.parametrize(("program", "text"), REFUSED.values(), ids=REFUSED)
def test_what_torch_refuses_is_refused_at_the_line(program: Program, text: str) -> None:
    with pytest.raises((RuntimeError, IndexError)):
        by_torch(program)
    with pytest.raises(LayerError, match=text) as caught:
        defined(program, 4, 6)
    first = inspect.getsourcelines(program)[1]
    lines = range(first, first + len(inspect.getsourcelines(program)[0]))
    assert any(f"programs_in_place.py:{line} " in str(caught.value) for line in lines)


def test_every_method_in_place_of_torch_is_there_if_its_operation_is() -> None:
    theirs = {name[:-1] for name in dir(torch.Tensor) if name.endswith("_") and not name.startswith("_")}
    assert theirs >= METHODS
    missing = {"squeeze", "unsqueeze", "t", "transpose", "swapaxes", "swapdims", "detach", "requires_grad"}
    assert (theirs & set(ops.__all__)) - METHODS <= missing
    assert set(dir(torch.nn.functional)) >= FUNCTIONS
    for name in FUNCTIONS:
        *_, last = inspect.signature(getattr(ops, name)).parameters
        assert last == "inplace"


UNARY = ["abs", "ceil", "cos", "erf", "floor", "log1p", "reciprocal", "round", "sigmoid", "square", "trunc", "tril"]


@pytest.mark.parametrize("name", UNARY)
def test_methods_from_the_table(name: str) -> None:
    def program(f: Any, nn: Any, x: Any, y: Any) -> Any:
        z = x[1:]
        z.abs_()
        getattr(z, f"{name}_")()
        return x

    check(run(defined(program, 4, 6), *inputs()), by_torch(program))


class Weighted(nn.Module):
    def __init__(self, change: Callable[[Any], Any]) -> None:
        self.scale, self.shift, self.change = nn.Parameter(6), nn.Buffer(6), change

    def forward(self, x: Any) -> Any:
        self.change(self)
        return x * self.scale + self.shift


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.scale.add_(1),
        lambda m: m.shift.__iadd__(1),
        lambda m: m.scale.__setitem__(0, 1),
        lambda m: m.scale[1:].zero_(),
        lambda m: m.shift.data.copy_(m.scale),
        lambda m: ops.relu(m.scale, inplace=True),
    ],
)
def test_parameters_refuse_writes_at_the_line(change: Callable[[Any], Any]) -> None:
    weights = {"scale": np.ones(6, np.float32), "shift": np.ones(6, np.float32)}
    with pytest.raises((LayerError, ModelError), match=r"(?s)([Pp]arameter|buffer).*test_in_place.py:\d+"):
        trtnet.define(Weighted(change), {"x": trtnet.Input((4, 6))}, weights)


def test_what_may_be_a_copy_in_torch_cannot_be_used_after_a_write() -> None:
    def program(x: Any) -> Any:
        product = ops.einsum("ij,kj->ki", x, x)
        flat = product.reshape(-1)
        product += 1
        return flat

    with pytest.raises(LayerError, match=r"(?s)not known what a tensor holds.*product \+= 1.*used later"):
        network_of(program, {"x": trtnet.Input((4, 6))})

    def unused(x: Any) -> Any:
        product = ops.einsum("ij,kj->ki", x, x)
        flat = product.reshape(-1)
        flat += 1
        return flat

    (found,) = run(network_of(unused, {"x": trtnet.Input((4, 6))}), inputs()[0])
    expected = torch.einsum("ij,kj->ki", inputs()[0], inputs()[0]).reshape(-1) + 1
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5)


def test_nothing_written_costs_nothing() -> None:
    def reads(x: Any) -> Any:
        a, b = x.view(2, 2, 6).transpose(0, 1).unbind(0)
        return a, b

    def writes(x: Any) -> Any:
        y = x * 2
        ops.relu(y, inplace=True)
        y.view(-1).neg_()  # nobody reads it
        return ops.relu(y)

    assert network_of(reads, {"x": trtnet.Input((4, 6))}).trt.num_layers == 2 + 2 * 2
    network = network_of(lambda x: ops.relu(x.mul(2), inplace=True), {"x": trtnet.Input((4, 6))})
    functional = network_of(lambda x: ops.relu(x.mul(2)), {"x": trtnet.Input((4, 6))})
    assert network.trt.num_layers == functional.trt.num_layers


def test_a_slice_costs_a_concatenation() -> None:
    def program(x: Any) -> Any:
        x[1:3] = 0.5
        return x

    layers = network_of(program, {"x": trtnet.Input((4, 6))}).trt
    kinds = [layers.get_layer(i).type.name for i in range(layers.num_layers)]
    assert sorted(kinds) == ["CONCATENATION", "CONSTANT", "SLICE", "SLICE", "SLICE"]  # the number is expanded


def test_the_callers_array_is_not_changed() -> None:
    def program(x: Any) -> Any:
        x += 1
        return x

    network = network_of(program, {"x": trtnet.Input((4, 6))})
    given = inputs()[0].numpy()
    before = given.copy()
    found = network.reference()(given)
    np.testing.assert_array_equal(given, before)
    np.testing.assert_allclose(found, before + 1)
    assert network.inputs["x"].trt.is_network_input


class Inner(nn.Module):
    def forward(self, x: Any, y: Any = None) -> Any:
        x += 1
        return x


def test_a_module_writes_to_its_argument() -> None:
    inner = Inner()

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.inner = inner

        def forward(self, x: Any) -> Any:
            z = self.inner(x)
            z *= 2
            return x

    network = trtnet.define(Outer(), {"x": trtnet.Input((4, 6))}, {})
    x = inputs()[0]
    np.testing.assert_allclose(network.reference()(x.numpy()), (x.numpy() + 1) * 2, rtol=1e-6)
    call = network.calls[0]
    assert call.inputs[0].name == "x"  # as it was when the module was called
    assert call.outputs[0].name == "inner/add"


def test_a_module_of_another_dtype_writes_to_its_argument() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            self.inner = Inner()

        def forward(self, x: Any) -> Any:
            y = x * 2
            self.inner(y)
            z = self.inner(x)
            z += 4
            return y, x

    network = trtnet.define(Outer(), {"x": trtnet.Input((4, 6))}, {}, dtype={"": "float16", "inner": "float32"})
    x = inputs()[0].half()
    found = network.reference()(x.numpy()).values()
    for ours, theirs in zip(found, (x * 2 + 1, x + 5), strict=True):
        np.testing.assert_allclose(np.asarray(ours, np.float32), theirs.float().numpy(), rtol=2e-3, atol=2e-3)


class Normalized(nn.Module):
    def __init__(self, nn: Any) -> None:
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        y.mul_(2)
        y[:, 1] += 1
        z = self.bn(y)
        return self.relu(z), y


def test_a_write_between_a_convolution_and_its_batch_norm() -> None:
    theirs = _torch_normalized()
    ours = Normalized(nn)
    network = trtnet.define(ours, {"x": trtnet.Input((2, 3, 8, 8))}, theirs)
    x = random_tensor(2, 3, 8, 8)
    check(run(network, x), list(theirs(x)))
    assert all(x.merged_into is None for call in network.calls for x in call.outputs)


def _torch_normalized() -> torch.nn.Module:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)
            self.relu = torch.nn.ReLU(inplace=True)

        forward = Normalized.forward

    torch.manual_seed(0)
    model = Model().eval()
    model.bn.running_mean.normal_()
    return model.requires_grad_(False)


def test_a_body_cannot_write_to_what_is_outside_or_given() -> None:
    def outside(x: Any) -> Any:
        def body(h: Any, row: Any) -> Any:
            x.add_(1)
            return h + row, h

        return ops.scan(body, x[0] * 0, x)

    def given(x: Any) -> Any:
        def branch(z: Any) -> Any:
            z += 1
            return z

        return ops.cond(x.sum() > 0, branch, lambda z: z - 1, (x,))

    def inside(x: Any) -> Any:
        def body(h: Any, row: Any) -> Any:
            new = h + row
            new *= 2
            new[0] = 1
            return new, new

        return ops.scan(body, x[0] * 0, x)

    for program, text in ((outside, r"a loop or a branch cannot write"), (given, "what a loop or a branch is given")):
        with pytest.raises(LayerError, match=rf"(?s){text}.*test_in_place.py"):
            network_of(program, {"x": trtnet.Input((4, 6))})
    last, _ = run(network_of(inside, {"x": trtnet.Input((4, 6))}), inputs()[0])
    h = torch.zeros(6)
    for row in inputs()[0]:
        h = (h + row) * 2
        h[0] = 1
    np.testing.assert_allclose(last, h.numpy(), rtol=1e-5)


def test_sizes_that_were_read_stay() -> None:
    def program(x: Any, size: Any) -> Any:
        n = (size + 1).item()
        size += 5
        return x[:n], size

    spec = {"x": trtnet.Input((8, 2)), "size": trtnet.Input((1,), "int64", values=("n",))}
    network = network_of(program, spec)
    found = list(network.reference()(np.ones((8, 2), np.float32), np.array([3])).values())
    assert found[0].shape == (4, 2)
    assert found[1].tolist() == [8]


def test_questions() -> None:
    def program(x: Any) -> Any:
        h = x.half()
        assert x.device.type == "cuda" and str(x.device) == "cuda" and x.is_cuda
        assert x.is_floating_point() and not x.long().is_floating_point() and not x.is_complex()
        assert (x.element_size(), h.element_size(), (x > 0).element_size()) == (4, 2, 1)
        assert x.type() == "torch.cuda.FloatTensor" and x.type("float16").dtype == h.dtype
        assert not x.requires_grad and x.requires_grad_(False) is x and x.dim() == 2 and x.nelement() == 24
        assert x.is_contiguous() and not x.t().is_contiguous()
        assert (x.stride(), x.t().stride(), x[:, ::2].stride(1), x.expand(2, 4, 6).stride(0)) == ((6, 1), (1, 6), 2, 0)
        assert x.new_empty(2, 3).shape == (2, 3) and x.new_tensor([1, 2]).dtype == x.dtype
        with pytest.raises(LayerError, match=r"stride: how torch lays this tensor out"):
            ops.einsum("ij,kj->ki", x, x).stride()
        return x

    network_of(program, {"x": trtnet.Input((4, 6))})


def test_engines_are_built_of_writes() -> None:
    def program(x: Any, y: Any) -> Any:
        x[:, ::2] = y[:, ::2]
        x[1:, 1:3] *= 2
        x[x > 0] = 1
        x[[0, 1], [1, 2]] = 7
        m = y > 0
        m[::2] = False
        x.diagonal().fill_(3)
        return x, m

    for dtype in ("float32", "float16"):
        spec = {"x": trtnet.Input((4, 6)), "y": trtnet.Input((4, 6))}
        plan = trtnet.define(Function(program), spec, {}, dtype=dtype).build().plan
        assert [(x.shape, x.dtype) for x in plan.info.outputs] == [((4, 6), dtype), ((4, 6), "bool")]
    spec = {"x": trtnet.Input(("n", 6)), "y": trtnet.Input(("n", 6))}

    def dynamic(x: Any, y: Any) -> Any:
        x[1:] = y[:-1]
        x[:, ::2] += 1
        return x

    (output,) = network_of(dynamic, spec).build({"n": (2, 4, 8)}).plan.info.outputs
    assert (output.shape, output.dtype) == (("n", 6), "float32")


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "broadcast_to": ((2, 4, 6),),
    "cast": (),
    "chunk": (2, 1),
    "dropout": (0.5, False),
    "expand": ((2, 4, 6),),
    "getitem": (),
    "meshgrid": (),
    "moveaxis": (0, 1),
    "movedim": (0, 1),
    "narrow": (1, 2, 3),
    "permute": ((1, 0),),
    "reshape": ((3, 8),),
    "select": (0, 1),
    "split": ([2, 4], 1),
    "swapaxes": (0, 1),
    "swapdims": (0, 1),
    "tensor_split": (3, 1),
    "transpose": (0, 1),
    "unflatten": (1, (2, 3)),
    "unsqueeze": (0,),
    "view": ((3, 8),),
}
"""What torch's views take after the tensor, where they take anything."""


@pytest.mark.parametrize("name", sorted(VIEWS.intersection(ops.__all__) - {"as_tensor", "cast", "getitem", "meshgrid"}))
def test_every_view_sees_what_is_written_to_its_base(name: str) -> None:
    if name in dir(torch.Tensor) or name in dir(torch) or name in dir(torch.nn.functional):

        def program(f: Any, nn: Any, x: Any, y: Any) -> Any:
            function = getattr(f, name, None) or (lambda x, *args: getattr(x, name)(*args))
            views = results(function(x, *ARGUMENTS.get(name, ())))
            x.mul_(3)
            return tuple(view + 0 for view in views)

        torchs = Both()
        if not hasattr(torch, name) and not hasattr(torch.nn.functional, name):
            setattr(torchs, name, None)
        x, y = inputs()
        check(run(defined(program, 4, 6), *inputs()), [z.clone() for z in results(program(torchs, torch.nn, x, y))])
