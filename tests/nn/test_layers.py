"""Every layer beside torch.nn's of the same name, arguments and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2

import trtnet
from trtnet import nn
from trtnet.support.errors import LayerError, ModelError

IMAGE, SIGNAL, VOLUME, ROWS = (2, 4, 8, 6), (2, 4, 9), (2, 4, 5, 6, 4), (2, 5, 6)
ACTIVATIONS = (
    "ReLU ReLU6 Sigmoid Tanh SiLU GELU ELU SELU CELU Mish LeakyReLU RReLU Hardtanh Hardsigmoid Hardswish Hardshrink"
    " Softshrink Tanhshrink Softplus Softsign LogSigmoid GLU PReLU Identity Dropout Flatten"
)

# name, shape of the input, arguments
LAYERS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    *((name, ROWS, {}) for name in ACTIVATIONS.split()),
    *((name, ROWS, {"dim": 1}) for name in ("Softmax", "Softmin", "LogSoftmax")),
    ("ReLU", ROWS, {"inplace": True}),
    ("Dropout", ROWS, {"p": 0.3, "inplace": True}),
    *((name, IMAGE, {"p": 0.3}) for name in ("Dropout2d", "AlphaDropout", "FeatureAlphaDropout")),
    ("Dropout1d", SIGNAL, {}),
    ("Dropout3d", VOLUME, {}),
    ("Unflatten", ROWS, {"dim": 2, "unflattened_size": (2, 3)}),
    ("Identity", ROWS, {"unused": 1}),
    ("GELU", ROWS, {"approximate": "tanh"}),
    ("Threshold", ROWS, {"threshold": 0.1, "value": 2.0}),
    ("PReLU", IMAGE, {"num_parameters": 4}),
    ("Linear", ROWS, {"in_features": 6, "out_features": 3}),
    ("Linear", ROWS, {"in_features": 6, "out_features": 3, "bias": False}),
    ("Conv1d", SIGNAL, {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "padding": 1, "groups": 2}),
    ("Conv2d", IMAGE, {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 1), "padding": (1, 0), "stride": 2}),
    ("Conv2d", IMAGE, {"in_channels": 4, "out_channels": 2, "kernel_size": 3, "padding": 2, "padding_mode": "reflect"}),
    (
        "Conv1d",
        SIGNAL,
        {"in_channels": 4, "out_channels": 2, "kernel_size": 4, "padding": "same", "padding_mode": "circular"},
    ),
    (
        "Conv3d",
        VOLUME,
        {"in_channels": 4, "out_channels": 2, "kernel_size": 3, "padding": (1, 0, 2), "padding_mode": "replicate"},
    ),
    ("ConvTranspose1d", SIGNAL, {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "stride": 2, "groups": 2}),
    ("ConvTranspose2d", IMAGE, {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 2, "padding": 1}),
    ("ConvTranspose3d", VOLUME, {"in_channels": 4, "out_channels": 3, "kernel_size": 2, "stride": 2, "bias": False}),
    ("BatchNorm1d", SIGNAL, {"num_features": 4}),
    ("BatchNorm1d", (2, 4), {"num_features": 4}),
    ("SyncBatchNorm", IMAGE, {"num_features": 4}),
    ("SyncBatchNorm", (2, 4), {"num_features": 4}),
    ("BatchNorm2d", IMAGE, {"num_features": 4, "eps": 1e-3, "affine": False}),
    ("BatchNorm3d", VOLUME, {"num_features": 4}),
    ("InstanceNorm1d", SIGNAL, {"num_features": 4}),
    ("InstanceNorm2d", (4, 8, 6), {"num_features": 4, "affine": True}),
    ("InstanceNorm2d", IMAGE, {"num_features": 4, "affine": True}),
    ("InstanceNorm3d", VOLUME, {"num_features": 4}),
    ("LayerNorm", ROWS, {"normalized_shape": (5, 6)}),
    ("LayerNorm", ROWS, {"normalized_shape": 6, "elementwise_affine": False}),
    ("GroupNorm", IMAGE, {"num_groups": 2, "num_channels": 4}),
    ("GroupNorm", IMAGE, {"num_groups": 2, "num_channels": 4, "affine": False}),
    ("RMSNorm", ROWS, {"normalized_shape": 6, "eps": 1e-6}),
    ("LocalResponseNorm", IMAGE, {"size": 3, "alpha": 0.1}),
    *((f"MaxPool{axes}d", (2, 4, *(6,) * axes), {"kernel_size": 2}) for axes in (1, 2, 3)),
    *((f"AvgPool{axes}d", (2, 4, *(6,) * axes), {"kernel_size": 2}) for axes in (1, 2, 3)),
    *(
        (f"Adaptive{name}Pool{axes}d", (2, 4, *(6,) * axes), {"output_size": 2})
        for name in ("Max", "Avg")
        for axes in (1, 2, 3)
    ),
    ("MaxPool2d", IMAGE, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("Upsample", IMAGE, {"scale_factor": 2.0, "mode": "bilinear"}),
    ("Upsample", SIGNAL, {"size": 5}),
    ("PixelShuffle", IMAGE, {"upscale_factor": 2}),
    ("PixelUnshuffle", IMAGE, {"downscale_factor": 2}),
    ("ChannelShuffle", IMAGE, {"groups": 2}),
    ("Unfold", IMAGE, {"kernel_size": 3, "padding": 1}),
    ("Fold", (2, 8, 20), {"output_size": (6, 5), "kernel_size": 2}),
    *((f"{name}Pad2d", IMAGE, {"padding": (1, 2, 0, 1)}) for name in ("Zero", "Reflection", "Replication", "Circular")),
    ("ConstantPad1d", SIGNAL, {"padding": 2, "value": 0.5}),
    ("ReplicationPad3d", VOLUME, {"padding": 1}),
    ("Softmax", SIGNAL, {}),
    ("LogSoftmax", IMAGE, {}),
    ("Softmax2d", IMAGE, {}),
    ("Hardtanh", ROWS, {"min_value": -0.2, "max_value": 0.4}),
    ("UpsamplingNearest2d", IMAGE, {"scale_factor": 2}),
    ("UpsamplingBilinear2d", IMAGE, {"size": (5, 9)}),
    *((f"LPPool{n}d", (2, 4, *(6,) * n), {"norm_type": 2, "kernel_size": 2}) for n in (1, 2, 3)),
    ("LPPool2d", IMAGE, {"norm_type": 4, "kernel_size": (3, 2), "stride": 2, "ceil_mode": True}),
    ("LPPool1d", SIGNAL, {"norm_type": float("inf"), "kernel_size": 3}),
    ("InstanceNorm2d", IMAGE, {"num_features": 4, "affine": True, "track_running_stats": True}),
    ("InstanceNorm1d", SIGNAL, {"num_features": 4, "affine": True, "bias": False}),
    ("BatchNorm2d", IMAGE, {"num_features": 4, "bias": False}),
    ("GroupNorm", IMAGE, {"num_groups": 2, "num_channels": 4, "bias": False}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "arguments"), LAYERS, ids=[f"{i}-{row[0]}" for i, row in enumerate(LAYERS)])
def test_a_layer_equals_torchs(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    theirs = getattr(torch.nn, name)(**arguments).eval()
    for value in theirs.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 1.0)
    first = shape[0] if name.startswith("InstanceNorm") else "n"
    network = trtnet.define(getattr(nn, name)(**arguments), {"x": trtnet.Input((first, *shape[1:]))}, theirs)
    x = torch.randn(shape)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x), theirs(x)) <= 1e-6
    network.build({"n": 2} if network.dims else None)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("BatchNorm1d", IMAGE),
        ("BatchNorm2d", (2, 4)),
        ("BatchNorm2d", SIGNAL),
        ("BatchNorm3d", IMAGE),
        ("InstanceNorm1d", IMAGE),
        ("InstanceNorm2d", (2, 4)),
        ("InstanceNorm3d", SIGNAL),
    ],
)
def test_a_normalization_takes_the_ranks_that_torch_takes(name: str, shape: tuple[int, ...]) -> None:
    theirs = getattr(torch.nn, name)(4).eval()
    with pytest.raises(ValueError, match="expected"):
        theirs(torch.zeros(shape))
    with pytest.raises(LayerError, match=f"{name} takes an input of .* dimensions, found {len(shape)}"):
        trtnet.define(getattr(nn, name)(4), {"x": trtnet.Input(shape)}, theirs)


def test_an_embedding_takes_the_arguments_of_training() -> None:
    theirs = torch.nn.Embedding(7, 4, padding_idx=0, scale_grad_by_freq=True)
    ours = nn.Embedding(7, 4, padding_idx=0, scale_grad_by_freq=True)
    network = trtnet.define(ours, {"i": trtnet.Input(("n", 3), "int64")}, theirs)
    index = torch.randint(0, 7, (2, 3))
    with torch.inference_mode():
        assert torch.equal(network.reference()(index), theirs(index))
    with pytest.raises(ModelError, match="Embedding: max_norm changes the weights"):
        nn.Embedding(7, 4, max_norm=1.0)


def test_layers_of_two_inputs_and_of_indices() -> None:
    theirs = torch.nn.Bilinear(3, 5, 4)
    inputs = {"x": trtnet.Input(("n", 3)), "y": trtnet.Input(("n", 5))}
    network = trtnet.define(nn.Bilinear(3, 5, 4), inputs, theirs)
    x, y = torch.randn(2, 3), torch.randn(2, 5)
    with torch.inference_mode():
        assert relative_l2(network.reference()(x, y), theirs(x, y)) <= 1e-6
    for name in ("Embedding", "EmbeddingBag"):
        rows = getattr(torch.nn, name)(7, 4)
        network = trtnet.define(getattr(nn, name)(7, 4), {"i": trtnet.Input(("n", 3), "int64")}, rows)
        index = torch.randint(0, 7, (2, 3))
        with torch.inference_mode():
            assert torch.equal(network.reference()(index), rows(index))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("crossed", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_multihead_attention(batch_first: bool, crossed: bool, bias: bool) -> None:
    options = {"embed_dim": 8, "num_heads": 2, "bias": bias, "batch_first": batch_first}
    theirs = torch.nn.MultiheadAttention(**options).eval()
    for value in theirs.state_dict().values():
        value.uniform_(-0.5, 0.5)
    ours = nn.MultiheadAttention(**options)
    x, y = torch.randn(3, 3, 8), torch.randn(3, 3, 8)

    class Both(nn.Module):
        def __init__(self) -> None:
            self.attention = ours

        def forward(self, x: Any, y: Any) -> Any:
            return self.attention(x, y, y)[0] if crossed else self.attention(x, x, x)[0] + y * 0

    weights = {f"attention.{key}": value for key, value in theirs.state_dict().items()}
    network = trtnet.define(Both(), {"x": trtnet.Input((3, "n", 8)), "y": trtnet.Input((3, "n", 8))}, weights)
    other = y if crossed else x
    with torch.inference_mode():
        assert relative_l2(network.reference()(x, y), theirs(x, other, other)[0]) <= 2e-6
    network.build({"n": 3})


LOOKS_NOWHERE = np.triu(np.ones((5, 5), np.bool_), 1)
PADDED = np.array([[False] * 3 + [True] * 2, [False] * 5])


@pytest.mark.parametrize("floating", [(), ("attn_mask",), ("key_padding_mask",), ("attn_mask", "key_padding_mask")])
@pytest.mark.parametrize(
    "given", [("attn_mask",), ("key_padding_mask",), ("attn_mask", "key_padding_mask"), ("heads",)]
)
@pytest.mark.parametrize("widths", [{}, {"kdim": 6, "vdim": 4}])
def test_multihead_attention_with_torchs_masks(
    given: tuple[str, ...], floating: tuple[str, ...], widths: dict[str, int]
) -> None:
    options = {"embed_dim": 8, "num_heads": 2, "batch_first": True, **widths}
    theirs = torch.nn.MultiheadAttention(**options).eval()
    x, k, v = torch.randn(2, 5, 8), torch.randn(2, 5, options.get("kdim", 8)), torch.randn(2, 5, options.get("vdim", 8))
    masks = {"attn_mask": LOOKS_NOWHERE, "key_padding_mask": PADDED}
    masks = (
        {name: masks[name] for name in given} if given != ("heads",) else {"attn_mask": np.stack([LOOKS_NOWHERE] * 4)}
    )
    for name in set(floating) & set(masks):
        masks[name] = np.where(masks[name], -np.inf, 0.5).astype(np.float32)

    class Masked(nn.Module):
        def __init__(self) -> None:
            self.attention = nn.MultiheadAttention(**options)

        def forward(self, x: Any, k: Any, v: Any) -> Any:
            return dict(zip(("output", "weights"), self.attention(x, k, v, **masks), strict=True))

    weights = {f"attention.{key}": value for key, value in theirs.state_dict().items()}
    shapes = {"x": x.shape, "k": k.shape, "v": v.shape}
    network = trtnet.define(Masked(), {name: trtnet.Input(tuple(shape)) for name, shape in shapes.items()}, weights)
    wanted = {name: torch.from_numpy(mask) for name, mask in masks.items()}
    with torch.inference_mode():
        found, (output, looked) = network.reference()(x, k, v), theirs(x, k, v, **wanted)
    assert relative_l2(found["output"], output) <= 2e-6 and relative_l2(found["weights"], looked) <= 2e-6
    network.build()


def test_an_unknown_argument_of_a_layer() -> None:
    with pytest.raises(TypeError, match="slope"):
        nn.LeakyReLU(slope=0.1)


def check(
    layer: nn.Module, theirs: torch.nn.Module, *inputs: torch.Tensor, dynamic: bool = True, **options: Any
) -> None:
    """The layer beside torch's, with one axis of each input dynamic; built, too."""

    class Model(nn.Module):
        def __init__(self) -> None:
            self.layer = layer

        def forward(self, *given: Any) -> Any:
            return self.layer(*given, **options)

    weights = {f"layer.{key}": value for key, value in theirs.state_dict().items()}
    first = {f"x{i}": ("n" if dynamic else x.shape[0], *x.shape[1:]) for i, x in enumerate(inputs)}
    dtypes = [str(x.dtype).removeprefix("torch.") for x in inputs]
    specs = {name: trtnet.Input(shape, dtype) for (name, shape), dtype in zip(first.items(), dtypes, strict=True)}
    network = trtnet.define(Model(), specs, weights)
    with torch.inference_mode():
        wanted = theirs.eval()(*inputs, **options)
        found = network.reference()(*inputs)
    assert found.dtype == wanted.dtype
    assert relative_l2(found, wanted) <= 2e-6
    network.build({"n": (1, inputs[0].shape[0], 8)} if network.dims else None)


@pytest.mark.parametrize("name", ["CosineSimilarity", "PairwiseDistance"])
def test_layers_of_two_inputs(name: str) -> None:
    x, y = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    check(getattr(nn, name)(), getattr(torch.nn, name)(), x, y)
    options = {"dim": 2, "eps": 1.0} if name == "CosineSimilarity" else {"p": 1.0, "keepdim": True}
    check(getattr(nn, name)(**options), getattr(torch.nn, name)(**options), x, y)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_max_unpool(axes: int) -> None:
    pool = getattr(torch.nn, f"MaxPool{axes}d")(2, return_indices=True)
    ours, theirs = (getattr(module, f"MaxUnpool{axes}d")(2) for module in (nn, torch.nn))
    check(ours, theirs, *pool(torch.randn(2, 3, *(6, 8, 4)[:axes])))
    check(ours, theirs, *pool(torch.randn(2, 3, *(6, 5, 4)[:axes])), dynamic=False, output_size=(6, 5, 4)[:axes])


@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_embedding_bag(mode: str, padding_idx: int | None) -> None:
    options = {"mode": mode, "padding_idx": padding_idx}
    index = torch.tensor([[0, 2, 6], [2, 2, 2], [5, 1, 6]])
    check(nn.EmbeddingBag(7, 4, **options), torch.nn.EmbeddingBag(7, 4, **options), index)
    flat, offsets = torch.tensor([0, 2, 6, 2, 5, 1]), torch.tensor([0, 3, 3, 4])
    ours, theirs = nn.EmbeddingBag(7, 4, **options), torch.nn.EmbeddingBag(7, 4, **options)
    check(ours, theirs, flat, offsets, dynamic=False)
    ours, theirs = (m.EmbeddingBag(7, 4, include_last_offset=True, **options) for m in (nn, torch.nn))
    check(ours, theirs, flat, torch.tensor([0, 3, 3, 6]), dynamic=False)
    if mode == "sum":
        ours, theirs = nn.EmbeddingBag(7, 4, **options), torch.nn.EmbeddingBag(7, 4, **options)
        check(ours, theirs, flat, offsets, torch.randn(6), dynamic=False)


def test_conv_transpose_takes_an_output_size() -> None:
    for size in ((11, 12), (12, 11)):
        ours, theirs = (m.ConvTranspose2d(3, 4, 3, 2, 1) for m in (nn, torch.nn))
        check(ours, theirs, torch.randn(2, 3, 6, 6), output_size=size)
    with pytest.raises(LayerError, match=r"output_size is from \[11, 11\] to \[12, 12\], found \[13, 12\]"):
        check(ours, theirs, torch.randn(2, 3, 6, 6), output_size=(13, 12))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer(first: bool, norm_first: bool) -> None:
    """Its decoder with a causal mask and one of the memory, too."""
    options: dict[str, Any] = {"batch_first": first, "norm_first": norm_first, "bias": not first, "activation": "gelu"}
    theirs = torch.nn.Transformer(8, 2, 2, 2, 16, **options)
    source, target = torch.randn(3, 4, 8), torch.randn(3, 4, 8)
    ours = nn.Transformer(8, 2, 2, 2, 16, **options)
    check(ours, theirs, source, target, dynamic=first)
    length = 4 if first else 3
    mask = nn.Transformer.generate_square_subsequent_mask(length)
    assert np.array_equal(mask, torch.nn.Transformer.generate_square_subsequent_mask(length).numpy())

    class Masked(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = theirs

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.model(x, y, tgt_mask=torch.from_numpy(mask), memory_mask=torch.from_numpy(mask) / 2)

    class OurMasked(nn.Module):
        def __init__(self) -> None:
            self.model = ours

        def forward(self, x: Any, y: Any) -> Any:
            return self.model(x, y, tgt_mask=mask, memory_mask=mask / 2)

    check(OurMasked(), Masked(), source, target, dynamic=False)
