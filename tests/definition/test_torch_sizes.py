"""What a PyTorch module does with sizes that are known only when the engine runs."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import trtnet


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("positions", torch.arange(4)[None], persistent=False)
        self.table = nn.Parameter(torch.randn(1, 4, 6))

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


def defined(function: Callable[..., Any], shape: tuple[Any, ...] = ("batch", 4, 6)) -> Any:
    return trtnet.define(Of(function).eval(), {"x": trtnet.Input(shape)})


def expanded_unless_one(m: Any, x: torch.Tensor) -> torch.Tensor:
    positions = m.positions
    if x.shape[0] != positions.shape[0]:
        positions = positions.expand(x.shape[0], -1)
    return x + positions[..., None]


def masked_where_packed(m: Any, x: torch.Tensor) -> torch.Tensor:
    positions = m.positions.repeat(x.shape[0], 1)
    packed = (torch.diff(positions, prepend=positions[:, :1] - 1, dim=-1) != 1).cumsum(-1)
    return x if (packed[:, -1] == 0).all() else x * packed[..., None]


@functools.lru_cache
def kept_mask(size: Any) -> torch.Tensor:
    return torch.tril(torch.ones(size, size))


KEPT: dict[Any, torch.Tensor] = {}


def test_what_code_keeps_by_size_is_of_one_network() -> None:
    def masked(m: Any, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[0]
        if 2 * n not in KEPT:
            KEPT[2 * n] = torch.arange(2 * n)
        return kept_mask(n) @ x[:, 0] + KEPT[2 * n][:n, None]

    x = torch.randn(3, 4, 6)
    expected = torch.tril(torch.ones(3, 3)) @ x[:, 0] + torch.arange(3)[:, None]
    for _ in range(2):
        torch.testing.assert_close(torch.as_tensor(defined(masked).reference()(x)), expected)


def test_a_tensor_of_another_network_is_an_error() -> None:
    kept: list[torch.Tensor] = []

    def keeping(m: Any, x: torch.Tensor) -> torch.Tensor:
        kept.append(x + 1)
        return x * kept[0]

    defined(keeping)
    with pytest.raises(trtnet.ModelError, match="a tensor of another network, which code outside of the module keeps"):
        defined(keeping)


def windows(m: Any, x: torch.Tensor) -> torch.Tensor:
    batch, length, width = x.shape
    parts = x.view(batch, length // 2, 2, width).permute(0, 1, 3, 2).contiguous().view(-1, width, 2)
    whole = int(parts.shape[1]) * 2
    return parts.reshape(-1, length // 2, whole).mean(1) / math.sqrt(width)


def factories(m: Any, x: torch.Tensor) -> torch.Tensor:
    batch = x.size(0)
    sizes = x.shape[:1] + torch.Size([4, 1])
    made = [torch.full((batch, 4, 1), 2.0), x.new_zeros(batch, 4, 1), torch.ones(sizes), torch.zeros_like(x[..., :1])]
    index = torch.arange(batch, device=x.device)
    return torch.cat([x, *made], -1) + index[:, None, None] + torch.arange(batch * 2)[::2].view(batch, 1, 1)


def of_numbers(m: Any, x: torch.Tensor) -> torch.Tensor:
    assert f"{x.shape[0]}", "a size has a name"
    y = x.flatten(1) / math.sqrt(x.shape[0]) + x.shape[0] ** -0.5
    return y.reshape(*x.shape[:-1], -1) * (x.numel() / (x.shape[1] * x.shape[2]))


def pooled(m: Any, x: torch.Tensor) -> torch.Tensor:
    y = F.interpolate(x[:, None], size=(x.shape[1] * 2, x.shape[2]), mode="nearest")
    return F.adaptive_avg_pool2d(y.expand(-1, 3, -1, -1), 2).reshape(x.shape[0], -1)


def lengths(m: Any, x: torch.Tensor) -> torch.Tensor:
    ones = torch.cat([torch.ones(len(x), 4, 1), x], -1)
    assert len(m.table) == 1 and len([x, x]) == 2 and len(x[0]) == 4
    return ones / len(x)


def ranges(m: Any, x: torch.Tensor) -> torch.Tensor:
    """Floats whose steps are whole numbers."""
    n = x.shape[0]
    relative = torch.arange(n - 1, -n, -1.0)
    middles, more = torch.arange(0.5, n), torch.arange(-1.5, n, 2.0)
    return x + middles[:, None, None] / n + relative.sum() + torch.arange(0.0, n, 2).sum() * more.sum()


FUNCTIONS = (masked_where_packed, windows, factories, of_numbers, pooled, lengths, ranges)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_batch_that_is_named_is_any_batch(function: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    network = defined(function)
    module = Of(function).eval()
    for batch in (1, 2, 5):
        x = torch.randn(batch, 4, 6)
        found, expected = torch.as_tensor(network.reference()(x)), function(module, x)
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected)
    assert network.build({"batch": (1, 2, 5)}).inputs[0].shape == ("batch", 4, 6)


def asked_first(m: Any, x: torch.Tensor) -> torch.Tensor:
    """As transformers does, before it leaves out masks that hide nothing."""
    positions = m.positions.expand(x.shape[0], -1)
    fake = torch._subclasses.FakeTensor
    assert isinstance(x, fake) and not isinstance(positions, fake) and not isinstance(m.table, fake)
    return x


def test_a_tensor_without_values_says_so() -> None:
    defined(asked_first)


def test_that_one_sample_is_taken_for_many_is_said_with_the_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "trtnet.definition"):
        defined(expanded_unless_one)
    (record,) = caplog.records
    assert "batch is assumed to be more than 1" in record.message and "1 is refused" in record.message
    assert "if x.shape[0] != positions.shape[0]:" in record.message


def test_a_squeeze_takes_a_batch_for_many_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "trtnet.definition"):
        network = defined(lambda m, x: x[:, :1].squeeze())
    assert "batch is assumed to be more than 1" in caplog.text
    x = torch.randn(3, 4, 6)
    torch.testing.assert_close(torch.as_tensor(network.reference()(x)), x[:, :1].squeeze())
    with pytest.raises(trtnet.InputError, match="batch is 1, and the network is not for that"):
        network.reference()(x[:1])


@pytest.mark.parametrize("asks", [lambda n: n == 1, lambda n: not n > 1, lambda n: n < 2], ids=["is", "above", "below"])
def test_a_network_whose_model_asked_for_one_sample_is_not_for_one(asks: Callable[[Any], bool]) -> None:
    network = defined(lambda m, x: x * 2 if asks(x.shape[0]) else x)
    x = torch.randn(3, 4, 6)
    torch.testing.assert_close(network.reference()(x), x)
    with pytest.raises(trtnet.InputError, match=r"batch is 1.*taken to be more than 1, since batch .*\n  in .*py:"):
        network.reference()(x[:1])
    with pytest.raises(trtnet.ProfileError, match=r"batch is 1.*taken to be more than 1"):
        network.build({"batch": (1, 2, 5)})
    assert network.build({"batch": (2, 2, 5)})


def test_a_library_that_asks_for_one_sample_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtnet.support.source.SourceLine.is_installed", True)
    network = defined(expanded_unless_one)
    for batch in (1, 3):
        x = torch.randn(batch, 4, 6)
        torch.testing.assert_close(network.reference()(x), expanded_unless_one(Of(expanded_unless_one), x))


LINES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "of a size": lambda x: torch.linspace(-1, 1, x.shape[1]) + x,
    "of thirds": lambda x: torch.linspace(0.3, 7.1, x.shape[1]) + x,
    "to a size": lambda x: torch.linspace(0, x.shape[1] - 1, x.shape[1]) + x,
    "to half a pixel": lambda x: torch.linspace(0.5, x.shape[1] - 0.5, x.shape[1]) + x,
    "of five": lambda x: torch.linspace(0.5, x.shape[1] / 2, 5) + x[:, :1],
    "in float16": lambda x: torch.linspace(0.5, 3, x.shape[1], dtype=torch.float16) + x.half(),
}


@pytest.mark.parametrize("function", LINES.values(), ids=LINES)
def test_a_line_of_as_many_values_as_an_axis_has(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    network = defined(lambda m, x: function(x), (1, "n"))
    reference = network.reference()
    for size in (*range(1, 12), 333):
        x = torch.zeros(1, size)
        expected = function(x)
        close = 3e-7 if expected.dtype == torch.float32 else 1e-3  # torch's steps are float16, too
        torch.testing.assert_close(reference(x), expected, rtol=close, atol=close)
    assert network.build({"n": (1, 4, 9)})


def test_a_line_of_integers_of_sizes_is_an_error() -> None:
    with pytest.raises(trtnet.LayerError, match=r"linspace\(0, 9, n\) of int64: sizes known at run time give floats"):
        defined(lambda m, x: torch.linspace(0, 9, x.shape[1], dtype=torch.int64) + x, (1, "n"))


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_area_to_sizes_that_are_not_known_says_what_to_do(scale: float) -> None:
    with pytest.raises(trtnet.LayerError, match=r"interpolate: area to .* needs a size of ints; declare .* or use avg"):
        defined(lambda m, x: F.interpolate(x, scale_factor=scale, mode="area"), (1, 2, "h", "w"))


def test_a_median_says_nothing_of_nan(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "trtnet.numbers"):
        defined(lambda m, x: x.median(1).values)
    assert not caplog.records


REFUSED: dict[str, tuple[Callable[[torch.Tensor], Any], list[int]]] = {  # what torch has no such result for
    "chunk": (lambda x: torch.stack([c.mean(1) for c in x.chunk(4, 1)], 1), [1, 2, 3, 5, 6, 9]),
    "chunk in 2": (lambda x: x.chunk(2, 1)[-1], [1]),
    "chunk of more": (lambda x: x.repeat(1, 2).chunk(3, 1)[-1], [1, 2]),
    "tensor_split": (lambda x: sum(part.sum(1) for part in x.tensor_split(4, 1)), []),
    "reflect": (lambda x: F.pad(x, (3, 1), mode="reflect"), [1, 2, 3]),
    "circular": (lambda x: F.pad(x, (1, 2), mode="circular"), [1]),
    "reflected by a size": (lambda x: F.pad(x, (x.shape[1] // 2, 0), mode="reflect"), []),
    "windows": (lambda x: x.unfold(1, 3, 2), [1, 2]),
    "blocks": (lambda x: F.unfold(x[:, None, None], (1, 4)), [1, 2, 3]),
}


@pytest.mark.parametrize(("function", "refused"), REFUSED.values(), ids=REFUSED)
def test_sizes_that_are_others_in_torch_are_refused(function: Callable[..., Any], refused: list[int]) -> None:
    network = defined(lambda m, x: function(x), (2, "n"))
    reference = network.reference()
    for size in range(1, 14):
        x = torch.randn(2, size)
        if size in refused:
            with pytest.raises(trtnet.InputError, match=rf"n is {size}, and the network is not for that: "):
                reference(x)
        else:
            torch.testing.assert_close(reference(x), function(x))
    for size in refused[-1:]:
        with pytest.raises(
            trtnet.ProfileError, match=rf"n is .*{size}, and the network is not for that: .*\n  in .*py:"
        ):
            network.build({"n": (1, 4, 13)})
    assert network.build({"n": (max([0, *refused]) + 1, 13, 13)})


def written_to(m: Any, x: torch.Tensor) -> torch.Tensor:
    mask = m.positions.expand(x.shape[0], -1).clone()
    mask[:, 1:] = x[:, 1:, 0] > 0
    return x if (mask >= 0).all() else -x


def summed(m: Any, x: torch.Tensor) -> torch.Tensor:
    return x if (m.positions.expand(x.shape[0], -1).cumsum(0) < 4).all() else -x


def contained(m: Any, x: torch.Tensor) -> torch.Tensor:
    return x if 3 in x else -x


def exactly(m: Any, x: torch.Tensor) -> torch.Tensor:
    return x if x.shape[0] == 8 else -x


def longest(m: Any, x: torch.Tensor) -> torch.Tensor:
    lengths = x[:, 0, 0].long()
    return x * (torch.arange(int(torch.max(lengths).item())) < lengths[:, None]).sum()


def computed(m: Any, x: torch.Tensor) -> torch.Tensor:
    return x if x.shape[0] * 3 > 8 else -x


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (written_to, r"cannot branch on it.*\n.*x if \(mask >= 0\).all\(\) else -x"),
        (summed, r"cannot branch on it.*\n.*cumsum\(0\)"),
        (contained, r"__contains__.*asks for values.*\n.*x if 3 in x else -x"),
        (exactly, r"whether batch is 8 was asked.*\n.*x if x.shape\[0\] == 8 else -x"),
        (longest, r"the largest length is that of an axis\), take x.shape there.*\n.*arange\(int\(torch.max"),
        (computed, r"whether \(batch \* 3\) > 8 was asked.*\n.*x if x.shape\[0\] \* 3 > 8 else -x"),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_a_branch_on_what_is_not_known_is_an_error_at_the_line(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(trtnet.ModelError, match=text):
        defined(function)


COMPARED: dict[
    str, tuple[Callable[[Any], bool], int]
] = {  # a question of the batch, and the largest that it is taken for
    ">= 64": (lambda n: n >= 64, 63),
    "> 64": (lambda n: n > 64, 64),
    "< 64": (lambda n: n < 64, 63),
    "<= 64": (lambda n: n <= 64, 64),
    "64 >": (lambda n: 64 > n, 63),  # noqa: SIM300
}


@pytest.mark.parametrize(("question", "most"), COMPARED.values(), ids=COMPARED)
def test_a_batch_that_is_compared_with_a_number_is_for_those_below(
    question: Callable[[Any], bool], most: int, caplog: pytest.LogCaptureFixture
) -> None:
    """diffusers asks whether a batch is 64 or more, to work around a limit of its kernels."""

    def asks(m: Any, x: torch.Tensor) -> torch.Tensor:
        first = question(x.shape[0])
        assert question(x.shape[0]) == first
        return x if first else -x

    with caplog.at_level(logging.WARNING, "trtnet.definition"):
        network = defined(asks)
    (record,) = caplog.records
    assert f"batch is assumed to be at most {most}, since batch" in record.message
    assert "first = question(x.shape[0])" in record.message or "lambda n:" in record.message
    for batch in (1, most):
        x = torch.randn(batch, 4, 6)
        torch.testing.assert_close(torch.as_tensor(network.reference()(x)), asks(None, x))
    with pytest.raises(
        trtnet.InputError, match=f"batch is {most + 1}, and the network is for at most {most}: it is taken"
    ):
        network.reference()(torch.randn(most + 1, 4, 6))
    assert network.build({"batch": (1, 8, most)})
    with pytest.raises(
        trtnet.ProfileError, match=rf"batch is 128, and the network is for at most {most}: .*\n  in .*py:"
    ):
        network.build({"batch": (1, 8, 128)})


def test_the_lowest_limit_of_a_size_holds() -> None:
    def asks(m: Any, x: torch.Tensor) -> torch.Tensor:
        return x if x.shape[0] < 64 and x.shape[0] < 32 and x.shape[0] < 48 else -x

    network = defined(asks)
    assert network.limits["batch"].most == 31


def test_a_count_of_elements_is_one_that_a_tensor_can_have() -> None:
    """diffusers asks whether what it makes has 2**31 elements, to work around a limit of its kernels."""

    def asks(m: Any, x: torch.Tensor) -> torch.Tensor:
        return -x if x.numel() * 2 > pow(2, 31) or (x.shape[1] + 1) * 2.5 >= 2**31 else x

    network = defined(asks, ("batch", "length", 6))
    x = torch.randn(3, 5, 6)
    torch.testing.assert_close(torch.as_tensor(network.reference()(x)), x)
    assert not network.limits


class Shapes(nn.Module):
    """transformers: a shape of a weight behind a size of the network (Reformer); whether no axis is empty (LongT5)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sizes = (x.shape[0], *self.weight.shape), (x.shape[0],) + self.weight.shape  # noqa: RUF005
        assert sizes[0] == sizes[1] and isinstance(self.weight.shape, torch.Size) and self.weight.size().numel() == 4
        return self.weight.expand(sizes[1]) + x[:, None] if all(x.shape) else x


def test_shapes_of_weights_are_joined_with_sizes() -> None:
    module = Shapes().eval()
    network = trtnet.define(module, {"x": trtnet.Input(("batch", 4))})
    for batch in (1, 3):
        x = torch.randn(batch, 4)
        assert (network.reference()(x.numpy()) == module(x).detach().numpy()).all()


class Windows(nn.Module):
    """Segment Anything: images cut into windows, and put together by the number of windows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, height, width, channels = x.shape
        cut = x.view(batch, height // 4, 4, width // 4, 4, channels).transpose(2, 3).reshape(-1, 4, 4, channels)
        assert cut.shape[0] % 4 == 0
        images = cut.shape[0] // (height * width // 16)
        whole = cut.view(images, height // 4, width // 4, 4, 4, -1).transpose(2, 3).reshape(images, height, width, -1)
        assert whole.shape == x.shape
        return whole + x


def test_a_multiple_is_divided_without_a_division() -> None:
    network = trtnet.define(Windows().eval(), {"x": trtnet.Input(("batch", 8, 8, 3))})
    for batch in (1, 3):
        x = torch.randn(batch, 8, 8, 3)
        assert (network.reference()(x.numpy()) == 2 * x.numpy()).all()
