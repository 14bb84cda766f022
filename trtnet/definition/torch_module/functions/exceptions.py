"""torch's functions that are not simply the function of their name in ``trtnet.ops``, each with its reason.

In one table: what they are, by name. Two sets say what arguments of operations are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from trtnet import ops
from trtnet.definition.torch_module.complex_numbers.fourier import shifted
from trtnet.definition.torch_module.functions.fake_quantization import FUNCTIONS
from trtnet.definition.torch_module.functions.losses import LOSSES
from trtnet.graph import Tensor, current
from trtnet.nn import weight_functions
from trtnet.ops.convolutions.per_sample import per_sample
from trtnet.ops.images.detection import need_kernels
from trtnet.ops.products.elimination import solve, solve_triangular
from trtnet.support.errors import ModelError
from trtnet.support.source import here

WEIGHTED = frozenset(
    (
        *(f"{kind}{n}d" for kind in ("conv", "conv_transpose") for n in (1, 2, 3)),
        *("linear", "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "embedding", "prelu"),
        *("multi_head_attention_forward", "deform_conv2d", "lstm", "gru", "rnn_tanh", "rnn_relu"),
        *("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell", "stft", "istft"),
        *FUNCTIONS,
    )
)
"""Operations whose further arguments are weights, or a window: they get the parameters themselves, not tensors."""
CAST = frozenset(name for name in WEIGHTED if name.startswith("conv") or name == "linear")
"""Operations whose input is cast to the dtype of their weights: see ``mixed_dtypes``."""


def _where(condition: Tensor, *values: Any, **named: Any) -> Any:
    return ops.where(condition, *values, **named) if values or named else ops.nonzero(condition, as_tuple=True)


def _wide(x: Any) -> Any:
    return ops.cast(x, "float32") if isinstance(x, Tensor) else x


def _is_in(x: Tensor, values: Any) -> Tensor:
    given = ops.as_tensor(values)
    return ops.any(ops.eq(x.unsqueeze(-1), ops.flatten(given) if given.ndim else given.unsqueeze(0)), -1)


def _vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    return ops.norm(x, ord, dim, keepdim, dtype)


def _norm(x: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    axes = x.ndim if dim is None else len(dim) if isinstance(dim, list | tuple) else 1
    if ord not in (None, "fro") and axes == 2:
        x.network.fail(f"linalg.norm of a matrix is written for ord=None and 'fro', found {ord!r}", {"x": x})
    return ops.norm(x, 2 if ord is None else ord, dim, keepdim, dtype)


def _random(*_: Any, **__: Any) -> Tensor:
    text = "torch.rand and torch.randn are random at every call: give the random numbers as an input"
    raise ModelError(here(f"{text}, or use ops.rand and ops.randn"))


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """As many boxes as are left, which is known only when the engine runs."""
    instead = (
        "make the module a member of a trtnet Module, by trtnet.TorchModule, and use ops.nms or ops.batched_nms there,"
        " which give a fixed number of boxes: docs/examples/detect.py"
    )
    need_kernels(boxes, "NMS", "torchvision's nms, of a number of boxes that depends on values", instead)
    most = boxes.shape[0]
    if not isinstance(most, int):
        current().fail("torchvision's nms takes a known number of boxes", {"boxes": boxes})
    return ops.non_max_suppression(boxes[None], scores[None, :, None], most, iou_threshold)[0][:, 2]


def _roi_align(x: Tensor, boxes: Tensor, scale: float, rows: int, columns: int, ratio: int, aligned: bool) -> Tensor:
    return ops.roi_align(x, boxes, (rows, columns), scale, ratio, aligned)


def _deform_conv2d(x: Tensor, weight: Any, offset: Tensor, mask: Any, bias: Any, *numbers: Any) -> Tensor:
    stride, padding, dilation, has_mask = numbers[0:2], numbers[2:4], numbers[4:6], numbers[-1]
    return ops.deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask if has_mask else None)


TABLE: dict[str, Callable[..., Any]] = {
    # torch's further names of one operation
    **dict.fromkeys(("dropout1d", "dropout2d", "dropout3d", "feature_dropout"), ops.dropout),
    **dict.fromkeys(("alpha_dropout", "feature_alpha_dropout"), ops.dropout),
    "unsafe_chunk": ops.chunk,
    "unsafe_split": ops.split,
    "__reversed__": lambda x: ops.flip(x, [0]) if x.ndim else x,
    "__rdiv__": lambda x, other: ops.div(other, x),
    "log_sigmoid": ops.logsigmoid,
    "special_expit": ops.sigmoid,
    "_is_all_true": ops.all,
    "_is_any_true": ops.any,
    "linalg_matmul": ops.matmul,
    "float_power": lambda x, exponent: ops.pow(_wide(x), _wide(exponent)),  # torch's is of float64
    "linalg_inv": ops.inverse,
    "linalg_det": ops.det,
    "linalg_slogdet": ops.slogdet,
    "linalg_solve": solve,
    "linalg_solve_triangular": solve_triangular,
    "linalg_cholesky": lambda x, *, upper=False: ops.cholesky(x, upper),
    "linalg_matrix_power": ops.matrix_power,
    "linalg_multi_dot": lambda matrices: ops.chain_matmul(*matrices),
    "linalg_cross": lambda x, other, *, dim=-1: ops.cross(x, other, dim),
    "linalg_vecdot": lambda x, y, *, dim=-1: ops.sum(ops.mul(x, y), dim),
    "linalg_diagonal": lambda x, *, offset=0, dim1=-2, dim2=-1: ops.diagonal(x, offset, dim1, dim2),
    # other arguments, or others in the place of a default
    "where": _where,  # of a condition alone it is nonzero
    "linalg_vector_norm": _vector_norm,
    "linalg_norm": _norm,
    **LOSSES,
    **FUNCTIONS,
    "isin": lambda x, values, *, invert=False, **_: ops.ne(_is_in(x, values), invert),
    "hsplit": lambda x, parts: ops.tensor_split(x, parts, 0 if x.ndim == 1 else 1),
    "vsplit": lambda x, parts: ops.tensor_split(x, parts, 0),
    "dsplit": lambda x, parts: ops.tensor_split(x, parts, 2),
    **dict.fromkeys(("rand", "randn"), _random),  # of known sizes torch makes them, and their use is an error
    **{
        f"max_pool{n}d_with_indices": functools.partial(getattr(ops, f"max_pool{n}d"), return_indices=True)
        for n in (1, 2, 3)
    },
    "fft_fftshift": shifted,
    "fft_ifftshift": functools.partial(shifted, back=True),
    # torchvision's, in the order of arguments of its compiled functions
    "nms": _nms,
    "roi_align": _roi_align,
    "deform_conv2d": _deform_conv2d,
    # kernels of each sample
    **{f"conv{n}d": per_sample(getattr(ops, f"conv{n}d"), n) for n in (1, 2)},
    **{f"conv_transpose{n}d": per_sample(getattr(ops, f"conv_transpose{n}d"), n) for n in (1, 2)},
    # of weights: trtnet.nn has the layers
    "multi_head_attention_forward": weight_functions.multi_head_attention_forward,
    "lstm": weight_functions.lstm,
    "gru": weight_functions.gru,
    "rnn_tanh": weight_functions.rnn_tanh,
    "rnn_relu": weight_functions.rnn_relu,
    "lstm_cell": weight_functions.lstm_cell,
    "gru_cell": weight_functions.gru_cell,
    "rnn_tanh_cell": weight_functions.rnn_tanh_cell,
    "rnn_relu_cell": weight_functions.rnn_relu_cell,
    # checks of values, which an engine does not make
    **dict.fromkeys(("_assert", "_assert_async", "_functional_assert_async"), lambda *_, **__: None),
    # whether a fast path can be taken, which leaves torch's Python
    "_nested_tensor_from_mask_left_aligned": lambda *_: False,
}
"""Called in place of the operation of the name, unless a tensor of the network has a method of it."""
