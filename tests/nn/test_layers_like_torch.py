"""Every layer of torch.nn: its constructor and its settings are torch's, or it is refused by name, with the reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch

import trtnet
from trtnet import nn
from trtnet.nn.core.unsupported import REFUSED
from trtnet.support.errors import LayerError, ModelError

LAYERS = sorted(
    name for name, kind in vars(torch.nn).items() if isinstance(kind, type) and issubclass(kind, torch.nn.Module)
)
# arguments of constructors that need some, and others than the defaults
ARGUMENTS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    **{f"Conv{n}d": [((4, 6, 3), {}), ((4, 6, 3, 2, 1, 2, 2, False, "reflect"), {})] for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": [((4, 6, 3), {}), ((4, 6, 3, 2, 1, 1, 2, False, 2), {})] for n in (1, 2, 3)},
    **{f"MaxPool{n}d": [((2,), {}), ((3, 2, 1, 1, False, True), {})] for n in (1, 2, 3)},
    "AvgPool1d": [((2,), {}), ((3, 2, 1, True, False), {})],
    **{f"AvgPool{n}d": [((2,), {}), ((3, 2, 1, True, False, 5), {})] for n in (2, 3)},
    **{f"Adaptive{kind}Pool{n}d": [((2,), {})] for kind in ("Avg", "Max") for n in (1, 2, 3)},
    "AdaptiveAvgPool2d": [((2,), {}), (((2, None),), {})],
    **{f"BatchNorm{n}d": [((4,), {}), ((4, 1e-3, None, False), {}), ((4,), {"bias": False})] for n in (1, 2, 3)},
    "SyncBatchNorm": [((4,), {}), ((4, 1e-3, 0.2, True, True, None), {"bias": False})],
    **{f"InstanceNorm{n}d": [((4,), {}), ((4, 1e-3, 0.2, True, True), {"bias": False})] for n in (1, 2, 3)},
    "LayerNorm": [((6,), {}), (([5, 6], 1e-3, True, False), {}), ((6,), {"elementwise_affine": False})],
    "RMSNorm": [((6,), {}), (((5, 6), 1e-3, False), {})],
    "GroupNorm": [((2, 4), {}), ((2, 4, 1e-3, False), {}), ((2, 4), {"bias": False})],
    "LocalResponseNorm": [((3,), {}), ((3, 0.1, 0.5, 2.0), {})],
    "Linear": [((4, 5), {}), ((4, 5, False), {})],
    "Bilinear": [((2, 3, 4), {}), ((2, 3, 4, False), {})],
    "Embedding": [((4, 5), {}), ((4, 5, -1, None, 1.0, True, True), {})],
    "EmbeddingBag": [((4, 5), {}), ((4, 5, None, 2.0, False, "sum", False, None, True, -1), {})],
    **{name: [((4, 5), {}), ((4, 5, 2, False), {}), ((4, 5), {"bidirectional": True})] for name in ("LSTM", "GRU")},
    "RNN": [((4, 5), {}), ((4, 5, 2, "relu", False, True), {})],
    **{name: [((4, 5), {}), ((4, 5, False), {})] for name in ("LSTMCell", "GRUCell", "RNNCell")},
    "MultiheadAttention": [((8, 2), {}), ((8, 4, 0.1, False, True, True, 6, 4, True), {})],
    **{
        f"{kind}Pad{n}d": [((1, *value), {}), ((tuple(range(2 * n)), *value), {})]
        for kind, value in {"Constant": (2.0,), "Zero": (), "Reflection": (), "Replication": (), "Circular": ()}.items()
        for n in (1, 2, 3)
    },
    "Unflatten": [((1, (2, 3)), {})],
    "Threshold": [((0.1, 2.0), {}), ((0.1, 2.0, True), {})],
    "Hardtanh": [((), {}), ((-2.0, 3.0, True), {})],
    "Upsample": [((None, 2), {}), ((3,), {}), ((None, (2, 3), "bilinear", True), {})],
    **{name: [((3,), {}), ((), {"scale_factor": 2})] for name in ("UpsamplingNearest2d", "UpsamplingBilinear2d")},
    "PixelShuffle": [((2,), {})],
    "PixelUnshuffle": [((2,), {})],
    "ChannelShuffle": [((2,), {})],
    "Unfold": [((3,), {}), ((3, 1, 1, 2), {})],
    "Fold": [(((6, 5), 2), {})],
    **{f"LPPool{n}d": [((2, 3), {}), ((2, 3, 2, True), {})] for n in (1, 2, 3)},
    **{f"MaxUnpool{n}d": [((2,), {}), ((3, 2, 1), {})] for n in (1, 2, 3)},
    **{name: [((8, 2, 16), {}), ((8, 2, 16, 0.2, "gelu", 1e-3, True, True, False), {})]
       for name in ("TransformerEncoderLayer", "TransformerDecoderLayer")},
    "Transformer": [((8, 2, 1, 1, 16), {})],
}  # fmt: skip
OTHERWISE = {
    "TransformerEncoder", "TransformerDecoder", "Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList",
    "ParameterDict",
}  # fmt: skip
"""Those that take modules."""
OF_TORCH_ALONE = {"training", "use_nested_tensor"}


def test_every_layer_is_here_or_refused_with_a_reason() -> None:
    left = [name for name in LAYERS if name not in nn.__all__ and name not in REFUSED]
    assert not left
    assert not [name for name in REFUSED if name in nn.__all__]
    for name, reason in REFUSED.items():
        with pytest.raises(AttributeError, match=f"trtnet.nn has no {name!r}; ") as error:
            getattr(nn, name)
        assert reason in str(error.value)


def parameters(kind: type) -> list[tuple[str, Any]]:
    found = [p for p in inspect.signature(kind.__init__).parameters.values() if p.name != "self"]
    if [p.name for p in found] == ["args", "kwargs"]:  # object's own, which takes nothing
        found = []
    return [(p.name, "a function" if callable(p.default) else p.default) for p in found]


@pytest.mark.parametrize("name", [name for name in LAYERS if name in nn.__all__])
def test_a_constructor_takes_torchs_arguments(name: str) -> None:
    theirs = getattr(torch.nn, name)
    if name in ("LSTM", "GRU", "RNN"):  # torch's take anything and hand it on
        wanted = parameters(torch.nn.modules.rnn.RNNBase)[1:]
        own = parameters(getattr(nn, name))
        if name == "RNN":
            wanted = [*wanted[:3], ("nonlinearity", "tanh"), *wanted[3:]]
        assert own == [p for p in wanted if p[0] != "proj_size" or name == "LSTM"]
    elif name == "Identity":
        assert nn.Identity(1, a=2) is not None
    else:
        assert parameters(getattr(nn, name)) == parameters(theirs)


def settings(layer: Any) -> dict[str, Any]:
    """Public attributes that are numbers, texts, None, dtypes or tuples of them."""
    names = {*vars(layer), *getattr(layer, "__constants__", ())} - OF_TORCH_ALONE
    values = {name: getattr(layer, name) for name in names if not name.startswith("_") and hasattr(layer, name)}
    return {name: value for name, value in values.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, int | float | str | torch.dtype)


@pytest.mark.parametrize("name", [name for name in LAYERS if name in nn.__all__ and name not in OTHERWISE])
def test_settings_are_torchs_attributes(name: str) -> None:
    for positional, named in ARGUMENTS.get(name, [((), {})]):
        theirs = getattr(torch.nn, name)(*positional, **named)
        ours = getattr(nn, name)(*positional, **named)
        wanted = settings(theirs)
        missing = [key for key in wanted if not hasattr(ours, key)]
        assert not missing
        found = {key: getattr(ours, key) for key in wanted}
        assert found == wanted and [type(v) for v in found.values()] == [type(v) for v in wanted.values()]
        keys = {key: tuple(p.shape) for key, p in ours.named_parameters()}
        their_keys = {key: tuple(v.shape) for key, v in theirs.state_dict().items() if "num_batches" not in key}
        assert keys == their_keys
        members = {key for key, _ in ours.named_modules()}
        assert members == {key for key, _ in theirs.named_modules()} or name == "MultiheadAttention"


@pytest.mark.parametrize("name", ["TransformerEncoder", "TransformerDecoder"])
def test_settings_of_stacks(name: str) -> None:
    layer = f"{name}Layer"
    theirs = getattr(torch.nn, name)(getattr(torch.nn, layer)(8, 2, 16), 2)
    ours = getattr(nn, name)(getattr(nn, layer)(8, 2, 16), 2)
    wanted = settings(theirs)
    assert {key: getattr(ours, key) for key in wanted} == wanted
    assert {k: tuple(p.shape) for k, p in ours.named_parameters()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }


@pytest.mark.parametrize("name", [name for name in LAYERS if name in nn.__all__ and name in ARGUMENTS])
def test_a_layer_takes_a_device_and_keeps_a_dtype(name: str) -> None:
    positional, named = ARGUMENTS[name][0]
    named = {**named, "affine": True} if name.startswith("InstanceNorm") else named
    if "dtype" not in inspect.signature(getattr(torch.nn, name)).parameters and name not in ("LSTM", "GRU", "RNN"):
        return
    ours = getattr(nn, name)(*positional, **named, device="cuda", dtype=torch.float16)
    assert {parameter.dtype for parameter in ours.parameters()} == {"float16"}
    assert {p.dtype for p in getattr(nn, name)(*positional, **named).parameters()} == {None}
    with pytest.raises(
        ModelError, match=r"dtype of a layer: unknown dtype.*\n  in tests/nn/test_layers_like_torch\.py"
    ):
        getattr(nn, name)(*positional, **named, dtype=torch.complex64)


def test_a_layer_of_its_own_dtype_computes_in_it() -> None:
    theirs = torch.nn.Linear(4, 3, dtype=torch.float16)

    class Model(nn.Module):
        def __init__(self, halved: bool) -> None:
            self.linear, self.halved = nn.Linear(4, 3, dtype=torch.float16), halved

        def forward(self, x: Any) -> Any:
            return self.linear(x.half() if self.halved else x)

    weights = {f"linear.{key}": value for key, value in theirs.state_dict().items()}
    x = torch.randn(2, 4)
    found = trtnet.define(Model(True), {"x": trtnet.Input((2, 4))}, weights, dtype="float32").reference()(x)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found, theirs(x.half()).detach(), rtol=2e-3, atol=2e-3)
    with pytest.raises(LayerError, match="matmul of float32 and float16"):
        trtnet.define(Model(False), {"x": trtnet.Input((2, 4))}, weights, dtype="float32")


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "batch statistics": (
        lambda: nn.BatchNorm2d(4, track_running_stats=False),
        "BatchNorm2d: track_running_stats=False",
    ),
    "max_norm": (lambda: nn.Embedding(4, 3, max_norm=1.0), "Embedding: max_norm changes the weights"),
    "max_norm of bags": (lambda: nn.EmbeddingBag(4, 3, max_norm=1.0), "EmbeddingBag: max_norm changes the weights"),
    "values": (lambda: nn.Embedding(4, 3, _weight=torch.ones(4, 3)), "Embedding: weights come from the checkpoint"),
    "padding_idx": (lambda: nn.Embedding(4, 3, 4), "Embedding: padding_idx is one of 4 rows, found 4"),
    "bag mode": (lambda: nn.EmbeddingBag(4, 3, mode="min"), "EmbeddingBag: mode is 'mean', 'sum' or 'max'"),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=4), "Conv2d: groups=4 divides not both"),
    "groups of one": (lambda: nn.GroupNorm(3, 4), "GroupNorm: num_groups=3 does not divide num_channels=4"),
    "padding": (lambda: nn.Conv2d(4, 6, 3, padding="full"), "padding is numbers, 'same' or 'valid', found 'full'"),
    "padding_mode": (lambda: nn.Conv2d(4, 6, 3, padding_mode="zero"), "padding_mode is zeros or reflect"),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, padding_mode="reflect"), "padding_mode is zeros, found"),
    "a tuple": (lambda: nn.Conv2d(4, 6, (3, 3, 3)), r"Conv2d: kernel_size is a number or 2 of them, found \(3, 3, 3\)"),
    "sides": (lambda: nn.ZeroPad2d((1, 1)), r"ZeroPad2d: padding is a number or 4 of them, found \(1, 1\)"),
    "nonlinearity": (lambda: nn.RNN(4, 5, nonlinearity="gelu"), "nonlinearity is 'tanh' or 'relu'"),
    "proj_size": (lambda: nn.LSTM(4, 5, proj_size=5), "LSTM: proj_size is smaller than hidden_size=5"),
    "dropout": (lambda: nn.Dropout(2.0), "Dropout: p is a probability, found 2"),
    "activation": (lambda: nn.TransformerEncoderLayer(8, 2, activation="silu"), "activation is 'relu', 'gelu' or a"),
    "named axes": (lambda: nn.Unflatten("c", (("a", 2), ("b", 3))), "Unflatten takes sizes"),
    "hardtanh": (lambda: nn.Hardtanh(1.0, 0.0), "Hardtanh takes a max_val above min_val"),
    "unknown": (lambda: nn.BatchNorm2d(4, tracking=True), r"BatchNorm2d\(\) got an unexpected keyword.*'tracking'"),
    "too few": (lambda: nn.Conv2d(4), r"Conv2d\(\) missing a required argument: 'out_channels'"),
    "of a function": (lambda: nn.ReLU(slope=1), r"ReLU\(\) got an unexpected keyword argument 'slope'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_would_compute_something_else_is_refused_at_the_users_line(name: str) -> None:
    call, text = REFUSALS[name]
    with pytest.raises(ModelError, match=rf"(?s){text}.*\n  in tests/nn/test_layers_like_torch\.py:\d+   \S"):
        call()


def test_return_indices_is_computed_or_refused_where_the_layer_is_called() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.pool = nn.AdaptiveMaxPool2d(2, return_indices=True)

        def forward(self, x: Any) -> Any:
            return self.pool(x)[1]

    try:
        network = trtnet.define(Model(), {"x": trtnet.Input((1, 2, 6, 6))}, {})
    except LayerError as error:
        assert "return_indices" in str(error) and "tests/nn/test_layers_like_torch.py" in str(error)
    else:
        x = torch.randn(1, 2, 6, 6)
        assert torch.equal(network.reference()(x), torch.nn.AdaptiveMaxPool2d(2, return_indices=True)(x)[1])
