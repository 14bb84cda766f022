"""Complex numbers and Fourier transforms in PyTorch modules: two tensors of the network, equal to torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import fft, nn
from torch.nn import functional as F

import trtnet

Function = Callable[[torch.Tensor], Any]


class Calling(nn.Module):
    """Calls a function, and gives complex results as torch.view_as_real does."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        found = self.function(x)
        found = found if isinstance(found, list | tuple) else [found]
        return [torch.view_as_real(each) if each.is_complex() else each for each in found]


def check(module: nn.Module, *shape: int, dynamic: bool = True) -> trtnet.DefinedNetwork:
    """Compares a module with torch at one size of the batch, or at two of a named batch."""
    declared = trtnet.Input(("batch" if dynamic else 2, *shape))
    network = trtnet.define(module.eval(), {"x": declared})
    for batch in (1, 3) if dynamic else (2,):
        x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            expected = module(x)
        found = network.reference()(x.numpy())
        theirs = [expected] if isinstance(expected, torch.Tensor) else expected
        ours = [found] if isinstance(found, np.ndarray) else [found[name] for name in network.outputs]
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert a.shape == tuple(b.shape)
            assert np.linalg.norm(a - b.numpy()) <= 2e-6 * (1 + np.linalg.norm(b.numpy()))
    return network


def one_axis(x: torch.Tensor) -> Any:
    half = fft.rfft(x, n=16, norm="forward")
    whole = fft.fft(x, n=5, dim=1)
    return fft.ifft(whole, dim=1, norm="ortho"), half, fft.irfft(half, n=16), fft.irfft(half, n=9), fft.irfft(half)


def several_axes(x: torch.Tensor) -> Any:
    half, whole = fft.rfft2(x, norm="ortho"), fft.fftn(x, dim=(1, 2, 3))
    back = fft.irfft2(half, s=(8, 9), norm="ortho"), fft.ifftn(whole, dim=(1, 2, 3)).real, fft.irfftn(half, dim=(-1, 2))
    return *back, fft.rfftn(x, s=(4, -1)), fft.ifft2(fft.fft2(x), norm="forward")


def shifts(x: torch.Tensor) -> Any:
    return fft.fftshift(fft.fft2(x), dim=(-2, -1)), fft.ifftshift(x, dim=-1), fft.fftshift(x, (2, 3))


def parts(x: torch.Tensor) -> Any:
    z = torch.complex(x, x.sin())
    assert z.dtype == torch.complex64 and torch.is_complex(z) and not z.is_floating_point()
    assert z.shape == x.shape and z.ndim == 4 and z.size(1) == 2
    return z.real * z.imag, z.abs() * torch.exp(1j * z.angle()), torch.polar(x.abs(), x), x.to(torch.complex64) * 3


def arithmetic(x: torch.Tensor) -> Any:
    z, w = torch.complex(x, x.sin()), torch.exp(1j * x)
    first = z * w + 2 - 1j * z, (z / w).conj() / 2, z**2 - z.pow(3), 1 / z, (x - z) * x
    return *first, z @ w.mT, torch.einsum("bcij,bckj->bcik", z, w), (-z).square(), z.mean((1, 2)) - 1


def arranged(x: torch.Tensor) -> Any:
    z, w = torch.complex(x, x.sin()), torch.exp(1j * x)
    first = torch.cat([z, x, w], -1).sum(-1), torch.stack([z.unbind(1)[0], w[:, 1]], 1), torch.where(x > 0, z, w)
    second = z.masked_fill(x > 0, 0), torch.zeros_like(z) + w.flatten(2).view(*z.shape).transpose(1, 2).movedim(2, 1)
    return (
        *first,
        *second,
        z.flip(-1).roll(1, 2),
        z.unsqueeze(-1).expand(-1, -1, -1, -1, 3).chunk(2, 1)[0],
        F.pad(z, (1, 2)),
    )


def written(x: torch.Tensor) -> Any:
    z = torch.complex(x, x.cos())
    z[:, 0] = x[:, 1]
    z *= 1j
    z += 1
    lines = x.clone()
    view = torch.view_as_complex(lines.view(-1, 2, 8, 5, 2))
    view *= 1j
    torch.view_as_real(view)[..., 0] += 1
    return z, lines, view[:, 0].imag


FUNCTIONS: list[Function] = [one_axis, several_axes, shifts, parts, arithmetic, arranged, written]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_they_equal_torch(function: Function) -> None:
    check(Calling(function), 2, 8, 10)


class Operator(nn.Module):
    """A layer of a Fourier neural operator: complex weights, a complex tensor that is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 5, 6, dtype=torch.cfloat))
        self.around = nn.Conv1d(4, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        waves = torch.zeros(x.shape[0], 5, x.shape[-1] // 2 + 1, dtype=torch.cfloat)
        waves[:, :, :6] = torch.einsum("bix,iox->box", fft.rfft(x)[:, :, :6], self.weight)
        return F.gelu(fft.irfft(waves, n=x.shape[-1]) + self.around(x))


class Filter(nn.Module):
    """GFNet's: a real weight whose last axis are the two parts."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3, 4, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        waves = fft.rfft2(x, dim=(1, 2), norm="ortho") * torch.view_as_complex(self.weight)
        return fft.irfft2(waves, s=(6, 4), dim=(1, 2), norm="ortho")


class Rotation(nn.Module):
    """The rotary embedding of Llama's first code: a complex buffer."""

    def __init__(self, *, persistent: bool) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(32), 0.1 ** torch.arange(4))
        self.register_buffer("table", torch.polar(torch.ones_like(angles), angles), persistent)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        table = self.table[: x.shape[1]].view(1, x.shape[1], 1, -1)
        turned = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2)) * table
        return torch.view_as_real(turned).flatten(3).type_as(x)


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 3, dtype=torch.cfloat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.cfloat()).abs()


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "Fourier neural operator": (Operator, (4, 16)),
    "global filter": (Filter, (6, 4, 4)),
    "rotation, a weight": (lambda: Rotation(persistent=True), (5, 2, 8)),
    "rotation, a table": (lambda: Rotation(persistent=False), (5, 2, 8)),
    "linear": (Linear, (4, 6)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_equal_torch(name: str) -> None:
    make, shape = MODELS[name]
    torch.manual_seed(0)
    network = check(make(), *shape)
    folded = {"global filter": {"weight"}, "rotation, a weight": {"table"}}  # which torch views as complex, or cuts
    assert network.folded == folded.get(name, set())


@pytest.mark.parametrize("dynamic", [False, True])
def test_spectra_and_back(dynamic: bool) -> None:
    class Mask(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("window", torch.hann_window(32))

        def forward(self, x: torch.Tensor) -> Any:
            z = torch.stft(x, 32, 8, window=self.window, return_complex=True)
            whole = torch.istft(z * z.abs(), 32, 8, window=self.window, length=200)
            part = torch.istft(z.conj(), 32, 8, 20, torch.hann_window(20), normalized=True)
            power = torch.stft(x, 32, 8, 20, torch.hann_window(20), return_complex=True, normalized=True).abs().pow(2)
            return [
                whole,
                part,
                power,
                torch.view_as_real(z),
                torch.stft(x, 32, window=self.window, return_complex=False),
            ]

    check(Mask(), 200, dynamic=dynamic)


def test_a_complex_weight_comes_from_a_checkpoint_under_its_key() -> None:
    module, other, x = Operator().eval(), Operator().eval(), torch.randn(2, 4, 16)
    network = trtnet.define(module, {"x": x}, other.state_dict())
    assert "weight" in network.keys and not network.folded
    np.testing.assert_allclose(network.reference()(x.numpy()), other(x).detach().numpy(), atol=1e-5)


def test_parts_stay_float32_in_a_network_of_16_bits() -> None:
    module, x = Rotation(persistent=False), torch.randn(2, 5, 2, 8)
    network = trtnet.define(module.eval(), {"x": trtnet.Input((2, 5, 2, 8), "float16")}, dtype="float16")
    found = network.reference()(x.half().numpy())
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, module(x.half()).numpy())


def test_a_module_between_others_that_gives_complex_numbers_is_bisected() -> None:
    class Forth(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return fft.rfft(x)

    class Back(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return fft.irfft(z * 2, n=8)

    x = torch.randn(2, 3, 8)
    report = trtnet.bisect(trtnet.define(nn.Sequential(Forth(), Back()).eval(), {"x": x}), inputs=x)
    assert report.passed and [row.path for row in report.rows][:2] == ["0", "1"]


def writes_to_parts(x: torch.Tensor) -> torch.Tensor:
    z = fft.fft(x)
    torch.view_as_real(z)[..., 0] = 0
    return z.abs()


def writes_beside_parts(x: torch.Tensor) -> torch.Tensor:
    z = fft.fft(x)
    real = torch.view_as_real(z)
    z[:, 0] = 0
    return real


def along_a_named_size(x: torch.Tensor) -> Any:
    """As in state space models: twice as many values, so that a convolution does not wrap."""
    count = x.shape[0]
    half, whole = fft.rfft(x, dim=0), fft.fft(x, dim=0, norm="ortho")
    more = fft.rfft(x, n=2 * count, dim=0)
    convolved = fft.irfft(more * more, n=2 * count, dim=0)[:count]
    back = fft.irfft(half, n=count, dim=0), fft.ifft(whole, dim=0, norm="ortho").real
    return half, whole, convolved, *back, fft.fft2(x, dim=(0, 1)), fft.fft(x, n=2, dim=0)


def test_transforms_along_a_named_size_equal_torch() -> None:
    network = check(Calling(along_a_named_size), 6, 8)
    assert len(network.build({"batch": (1, 3, 5)}).plan.data) > 1000


ERRORS: list[tuple[Function, str]] = [
    (lambda x: fft.fft(x).tanh().abs(), r"torch's tanh of a complex tensor is not written(.|\n)*view_as_real"),
    (lambda x: fft.fft(x) ** 0.5, "a power of a complex tensor is written for exponents of 1 to 4"),
    (lambda x: fft.rfft(fft.fft(x)), r"torch\.fft\.rfft takes real values"),
    (lambda x: fft.fft(x, n=5000), "a Fourier transform of 5,000 values; 1 to 4096 are written"),
    (lambda x: x.to(torch.complex128).abs(), "no complex128; use torch.complex64"),
    (writes_to_parts, "was written to, and the complex tensor is used afterwards: make it anew"),
    (writes_beside_parts, "writes to a complex tensor of which torch.view_as_real was taken"),
]


@pytest.mark.parametrize(("function", "text"), ERRORS)
def test_what_is_not_written_is_an_error_at_the_line(function: Function, text: str) -> None:
    with pytest.raises(trtnet.TrtnetError, match=rf"{text}(.|\n)*in tests/definition/test_torch_complex\.py"):
        trtnet.define(Calling(function).eval(), {"x": trtnet.Input(("batch", 6, 8))})


def test_a_complex_result_is_an_error() -> None:
    module = nn.Sequential()
    module.forward = lambda x: fft.fft(x)  # type: ignore[method-assign]
    with pytest.raises(trtnet.ModelError, match=r"a complex tensor.* give torch\.view_as_real of it"):
        trtnet.define(module.eval(), {"x": trtnet.Input((2, 8))})


class Mixes(nn.Module):
    """A weight of 16 bits as complex numbers, and angles that are a complex buffer of float32."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, 2))
        self.register_buffer("turn", torch.polar(torch.ones(4, 3), torch.randn(4, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turned = torch.view_as_complex(x.unflatten(-1, (3, 2))) * self.turn
        return torch.view_as_real(torch.einsum("oi,bij->boj", torch.view_as_complex(self.weight), turned))


def test_complex_numbers_of_two_dtypes_are_multiplied_in_float32() -> None:
    torch.manual_seed(0)
    module, x = Mixes().eval(), torch.randn(2, 4, 6)
    network = trtnet.define(module, {"x": x}, dtype="float16")
    with torch.no_grad():
        torch.testing.assert_close(
            torch.as_tensor(network.reference()(x)), module(x), atol=2e-2, rtol=1e-2, check_dtype=False
        )
