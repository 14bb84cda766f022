"""Functions, methods and attributes of torch that a PyTorch module calls, in each form that torch has of them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import trtnet
from trtnet.graph.structures import leaves


class Of(nn.Module):
    """A function as a module, with members."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.attention = nn.MultiheadAttention(6, 2, kdim=4, vdim=2, batch_first=True)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 2)
        self.lstm, self.gru = nn.LSTMCell(6, 3), nn.GRUCell(6, 3)
        self.tanh, self.relu = nn.RNNCell(6, 3, bias=False), nn.RNNCell(6, 3, nonlinearity="relu")
        self.rnn = nn.RNN(6, 3, nonlinearity="relu", batch_first=True)
        self.weight = nn.Parameter(torch.randn(5, 6))
        self.register_buffer("keep", torch.tensor([True, False, True, True]))
        self.register_buffer("scale", torch.rand(6))

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


def of_methods(m: Any, x: torch.Tensor) -> Any:
    """x.where is another order of arguments than torch.where."""
    one = torch.tensor(3.0)
    return (
        x.where(x > 0, x * 2),
        x.where(x > 0, one),
        torch.where(x > 0, x, one),
        x.ravel(),
        +x,
        *reversed(x[0]),
        torch.rsub(x, 1),
        2 / x,
    )


def of_attributes(m: Any, x: torch.Tensor) -> Any:
    assert not x.is_meta and not x.is_conj() and not x.is_inference() and x.get_device() == -1 and x.is_cpu
    assert x.itemsize == x.element_size() == 4 and x.grad_fn is None and not x.is_nested and not x.requires_grad
    y = x * 1
    y.data[:, 0] = 0
    return x.mT, x[0].T, x.mH, x.adjoint(), x.real, x.data + 1, y, m.weight @ x.mT


def of_to(m: Any, x: torch.Tensor) -> Any:
    y = x.to(x.dtype, copy=True)
    y += 1
    z = x.to("cpu", torch.float32, False, True).mul_(2)
    same = x.to(torch.device("cpu")), x.to(device=x.device, dtype=x.dtype), x.to(x[:1])
    return x, y, z, sum(same), x.contiguous(memory_format=torch.contiguous_format), x.cpu()


def into_out(m: Any, x: torch.Tensor) -> Any:
    y, values, places = (
        torch.empty_like(x),
        x.new_zeros(x[..., 0].shape),
        torch.zeros_like(x[..., 0], dtype=torch.int64),
    )
    torch.add(x, 1, out=y)
    torch.max(x, -1, out=(values, places))
    return y, values, places


def into_what_torch_made(m: Any, x: torch.Tensor) -> Any:
    """Of sizes that are known, torch makes the tensors that are then written to."""
    y, z, own = torch.zeros(2, 4, 6), torch.ones(2, 4, 6), m.scale.clone()
    seen = y
    for i in range(4):
        y[:, i] = x[:2, i] * i
    z.masked_fill_(x[:2] > 0, 2.0)
    z += torch.mul(x[:2], 2, out=torch.empty(2, 4, 6))
    own[1:] = x[0, 0, 1:]
    return y, seen + 1, z, own


def into_what_is_like_another(m: Any, x: torch.Tensor) -> Any:
    """What is converted to the dtype of a tensor is still torch's own, and may be written to."""
    y, z = torch.zeros(2, 6).to(x), torch.zeros(4, 6, dtype=torch.float64).type_as(x)
    y.index_add_(0, torch.tensor([0, 0, 1, 1]), x[0])
    z.scatter_add_(0, torch.zeros(4, 6, dtype=torch.int64), x[1])
    return y, z, x.new_tensor(x[0, :, :1]), x.new_tensor(torch.arange(6)) + x


def of_shapes_in_place(m: Any, x: torch.Tensor) -> Any:
    """The tensor has another shape, and is still a view of what it was made of."""
    y = x.clone()
    assert isinstance(x.size(), torch.Size) and x.size()[1:].numel() == x.shape[1:].numel() == 24
    z = y[0]
    z.t_().mul_(2)
    z[0] = 7.0
    w = y[:, :1].squeeze(1)
    w.unsqueeze_(1).transpose_(0, 2)
    w.add_(1)
    return y, z, w, w.swapaxes_(0, 2).squeeze_(1) * 1


def of_types(m: Any, x: torch.Tensor) -> Any:
    """torch's older names of types."""
    assert x.type() == "torch.FloatTensor" and (x > 0).type() == "torch.BoolTensor"
    return (x > 0).type(x.type()), x.type(torch.LongTensor), x.type("torch.IntTensor"), x.type(torch.int32) / 2


def into_diagonals(m: Any, x: torch.Tensor) -> Any:
    """A view whose elements are no rectangle, of a tensor of any size."""
    y = x.clone()
    y[..., :4].diagonal(dim1=1, dim2=2).neg_()
    y.diagonal(1, 1, 2)[0] = 5.0
    return y, x[:1].view(4, 6)


def of_distributions(m: Any, x: torch.Tensor) -> Any:
    """Their checks are of values."""
    return torch.distributions.Normal(x, x.exp()).log_prob(x[:1]), torch.distributions.Categorical(logits=x).entropy()


def of_special(m: Any, x: torch.Tensor) -> Any:
    y, s = x.abs(), torch.special
    one = s.log1p(y), s.exp2(x), s.sinc(x), s.round(x, decimals=1), s.logit(x.sigmoid(), 1e-6)
    return *one, s.softmax(x, -1), s.log_softmax(x, -1), s.logsumexp(x, 1)


def of_losses(m: Any, x: torch.Tensor) -> Any:
    scores, other, classes = x[:, 0], x[:, 1], x[:, 2].argmax(-1)
    shares, logs, yes = scores.softmax(1), scores.log_softmax(1), (other > 0).float()
    weight = torch.arange(1.0, 7.0)
    many = F.cross_entropy(x.mT, x.argmax(-1), reduction="none"), F.cross_entropy(scores, other.softmax(1), weight)
    one = [F.cross_entropy(scores, classes, ignore_index=i, label_smoothing=s) for i, s in ((-100, 0.0), (2, 0.1))]
    one += [F.cross_entropy(scores, classes, weight), F.nll_loss(logs, classes, reduction="sum")]
    one += [F.binary_cross_entropy(shares, yes), F.kl_div(logs, other.softmax(1), reduction="batchmean")]
    one += [F.kl_div(logs, other.log_softmax(1), log_target=True), F.mse_loss(scores, other), F.l1_loss(scores, other)]
    one += [F.binary_cross_entropy_with_logits(scores * 30, yes, pos_weight=weight, reduction="sum")]
    one += [F.smooth_l1_loss(scores, other, beta=0.3), F.huber_loss(scores, other, delta=0.5, reduction="sum")]
    signs = yes[:, 0] * 2 - 1
    one += [
        F.triplet_margin_loss(scores, other, x[:, 3], swap=s, p=p, reduction="none") for s, p in ((False, 2), (True, 1))
    ]
    one += [F.cosine_embedding_loss(scores, other, signs, 0.1), F.hinge_embedding_loss(scores, yes, 0.7)]
    one += [F.margin_ranking_loss(scores, other, yes * 2 - 1, 0.2), F.soft_margin_loss(scores, yes * 2 - 1)]
    return *many, *one, F.gaussian_nll_loss(scores, other, x[:, 3, 0].abs(), full=True), nn.BCELoss()(shares, yes)


def of_names_of_others(m: Any, x: torch.Tensor) -> Any:
    places = x.argmax(-1)
    is_in = torch.isin(places, torch.tensor([1, 4])), torch.isin(places, 2, invert=True), torch.isin(places, places[:1])
    return *is_in, torch.hsplit(x, 2)[1], torch.dsplit(x, 3)[0], x[:2].vsplit(2)[1]


def of_masks(m: Any, x: torch.Tensor) -> Any:
    y = x.clone()
    y[:, m.keep] = 0.0
    return x[:, torch.tensor([True, False, False, True])], x[:, m.keep], y


def of_norms(m: Any, x: torch.Tensor) -> Any:
    norms = torch.linalg.norm(x, dim=-1), torch.linalg.norm(x, 1, -1, True), torch.linalg.norm(x, dim=(1, 2))
    return *norms, torch.linalg.vector_norm(x, dim=-1), torch.linalg.vector_norm(x, float("inf"), (1, 2))


def of_other_names(m: Any, x: torch.Tensor) -> Any:
    y, places = F.max_pool1d(x, 2, return_indices=True)
    parts = torch.tensor_split(x, indices=(1, 2), dim=1)[1], torch.tensor_split(x, sections=2, dim=1)[0]
    return y, places, F.logsigmoid(x), torch.special.expit(x), torch.linalg.matmul(x, x.mT), *parts


def of_factories(m: Any, x: torch.Tensor) -> Any:
    sizes = x.shape[0], 2
    return (
        torch.zeros(size=sizes),
        torch.ones(size=sizes),
        torch.full(size=sizes, fill_value=1.5),
        x.new_empty(sizes)[:0],
    )


def of_attention(m: Any, x: torch.Tensor) -> Any:
    mask = torch.triu(torch.full((4, 4), float("-inf")), 1)
    y, weights = m.attention(x, x[..., :4], x[..., 4:])
    return y, weights, m.encoder(x, mask=mask, is_causal=True)


def of_cells(m: Any, x: torch.Tensor) -> Any:
    """The first state is given, or zeros that the cell makes, or zeros of the module."""
    h, c = m.lstm(x[:, 0])
    h, c = m.lstm(x[:, 1], (h, c))
    zeros = torch.zeros(x.shape[0], 3)
    return h, c, m.gru(x[:, 0], zeros), m.tanh(x[:, 0]), m.relu(x[:, 0], h), m.rnn(x, zeros[None])[0]


def of_new(m: Any, x: torch.Tensor) -> Any:
    """The older names of new_empty and new_tensor."""
    sizes = x.new(x.size(0), 3).zero_(), x.new(x.size()).fill_(2), torch.ones(3).new(x.shape[0], 2).zero_()
    numbers = x.new_tensor([x.shape[0], 2.5]), torch.as_tensor(x.shape)
    return *sizes, *numbers, x.new([1, 2, 3, 4, 5, 6]) * x, x.data.new(x[:, :2]) + 1


def of_index_reduce(m: Any, x: torch.Tensor) -> Any:
    index = torch.tensor([1, 0, 1, 1])
    mean = torch.index_reduce(x, 1, index, x.flip(1), "mean")
    return (
        mean,
        torch.zeros(2, 6).index_reduce_(0, index, x[0], "amax", include_self=False),
        x.index_reduce(1, index, x + 1, "prod"),
    )


def of_sizes_before_tensors(m: Any, x: torch.Tensor) -> Any:
    """Python asks the size first, which leaves it to the tensor."""
    n = x.shape[0]
    return (
        n * x,
        n - x,
        n / (x + 9),
        n**x,
        n // (x.abs() + 1),
        n % (x.abs() + 1),
        n < x,
        (2 * n + 1) * x,
        n / 2 * m.scale,
    )


FUNCTIONS = (
    of_types, into_diagonals, of_new, of_index_reduce, of_sizes_before_tensors,
    of_methods, of_attributes, of_to, into_out, into_what_torch_made, of_masks, of_norms, of_other_names, of_factories,
    of_attention, of_cells, into_what_is_like_another, of_distributions, of_special,
    of_losses, of_names_of_others, of_shapes_in_place,
)  # fmt: skip


def defined(function: Callable[..., Any], batch: int | str, dtype: str = "float32") -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    module = Of(function).eval()
    return module, trtnet.define(module, {"x": trtnet.Input((batch, 4, 6))}, dtype=dtype)


def compare(module: nn.Module, network: Any, batch: int, tolerance: float = 1e-5) -> None:
    x = torch.randn(batch, 4, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = list(leaves(module(x.clone())))
    given = x.to(getattr(torch, network.inputs["x"].dtype.name))
    found = network.reference()(given.numpy())
    for ours, theirs in zip(map(torch.as_tensor, leaves(found)), expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours.float() - theirs.float()).norm() <= tolerance * (theirs.float().norm() + 1)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("batch", [2, "batch"])
def test_it_computes_what_torch_does(function: Callable[..., Any], batch: int | str) -> None:
    module, network = defined(function, batch)
    for size in (2,) if batch == 2 else (2, 3):
        compare(module, network, size)


def test_a_state_that_a_module_makes_is_of_the_dtype_of_its_input() -> None:
    compare(*defined(of_cells, 2, "float16"), 2, 1e-2)


def test_a_mask_of_padding_takes_no_path_that_leaves_python() -> None:
    def padded(m: Any, x: torch.Tensor) -> Any:
        keep = torch.tensor([True, True, True, False])
        return m.encoder(x, src_key_padding_mask=(x[..., 0] > 9) | ~keep)[:, :3]

    compare(*defined(padded, 2), 2)


def test_a_mask_that_is_known_folds_the_buffer_it_is() -> None:
    assert defined(of_masks, 2)[1].folded == {"keep"}


def shared(m: Any, x: torch.Tensor) -> Any:
    y = torch.zeros(2, 4, 6)
    first = y[:, 0]
    first.copy_(x[:, 0])
    return y


def seen_before(m: Any, x: torch.Tensor) -> Any:
    y = torch.zeros(2, 4, 6)
    view = y.view(2, 24)
    y[:, 0] = x[:, 0]
    return view


OLDER = torch.zeros(2, 4, 6)


def older(m: Any, x: torch.Tensor) -> Any:
    OLDER[:, 0] = x[:, 0]
    return OLDER


def to_a_buffer(m: Any, x: torch.Tensor) -> Any:
    m.scale[:] = x[0, 0]
    return x * m.scale


def numbers_to_a_buffer(m: Any, x: torch.Tensor) -> Any:
    m.scale[0] = 1.0
    return x * m.scale


def out_to_a_buffer(m: Any, x: torch.Tensor) -> Any:
    torch.add(x[0, 0], 1, out=m.scale)
    return x


def of_data(m: Any, x: torch.Tensor) -> Any:
    m.scale.data = x[0, 0]
    return x


def mapped_over(m: Any, x: torch.Tensor) -> Any:
    return torch.vmap(lambda each: each.sum())(x)


WEIGHT, SHARED = "writes to scale of the module, which a network only reads", "shares its memory with another"
ERRORS: list[tuple[Callable[..., Any], str]] = [
    (shared, SHARED),
    (seen_before, SHARED),
    (older, SHARED),
    (to_a_buffer, f"__setitem__ {WEIGHT}"),
    (numbers_to_a_buffer, f"__setitem__ {WEIGHT}"),
    (out_to_a_buffer, f"add {WEIGHT}"),
    (of_data, WEIGHT),
    (mapped_over, r"torch\.vmap of a tensor of the network, which torch lets nobody answer"),
    (lambda m, x: x * x.numpy(), "torch's numpy of a symbolic tensor: it has no values while a network is being"),
    (
        lambda m, x: x * x.max().item(),
        "has no values while the network is being defined: compute with it as a tensor, without item",
    ),
    (lambda m, x: torch.fft.hfft(x), "fft_hfft of a symbolic tensor: TensorRT has no complex numbers"),
    (lambda m, x: torch.linalg.norm(x, 2, dim=(1, 2)), "linalg.norm of a matrix is written for ord=None and 'fro'"),
    (lambda m, x: nn.utils.rnn.pack_padded_sequence(x, [3, 2], True), "the elements of a packed sequence, of which"),
]


@pytest.mark.parametrize(("function", "text"), ERRORS, ids=lambda f: getattr(f, "__name__", ""))
def test_what_would_be_lost_is_an_error_at_the_line(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(trtnet.TrtnetError, match=rf"{text}(.|\n)*in tests/definition/test_torch_functions\.py"):
        defined(function, 2)
    assert type(OLDER) is torch.Tensor and not OLDER.any()


class Pair(typing.NamedTuple):
    first: torch.Tensor
    rest: list[Any]


@dataclasses.dataclass
class Result:
    pair: Pair
    loss: Any = None


def test_results_have_one_name_in_the_network_and_in_torch() -> None:
    module, network = defined(lambda m, x: Result(Pair(x + 1, [x * 2, {"k": x * 3}])), 2)
    assert list(network.outputs) == ["pair.first", "pair.rest.0", "pair.rest.1.k"]
    result = trtnet.compare(network, module)
    assert result.passed and not any("by order" in note for note in result.notes)
