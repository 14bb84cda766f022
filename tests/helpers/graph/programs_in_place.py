"""Small programs that write in place, for torch's tensors and for ours: `f` has the functions, `nn` the layers.

Each gets x [4, 6] and y [4, 6], and returns what the comparison looks at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Program = Callable[[Any, Any, Any, Any], Any]


def augmented(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x
    x += y
    z -= 0.5
    x *= 2
    z /= y + 8
    return x, z


def augmented_integers(f: Any, nn: Any, x: Any, y: Any) -> Any:
    i = x.long()
    j = i
    i += 3
    i *= 7
    i //= 2
    j %= 5
    j **= 2
    return i, j


def matmul_rebinds(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x
    z @= y.t()
    return x, z


def alias_returned(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x
    z += 1
    return x


def methods(f: Any, nn: Any, x: Any, y: Any) -> Any:
    return x.add_(y).mul_(2).sub_(1).clamp_(-3, 3).neg_().exp_().sqrt_().tanh_(), x


def alpha(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.masked_fill_(y > 0, -1.0)
    return x


def comparison_in_place(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.gt_(y)
    return x


def integers_into_floats(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x += y.long()
    return x


def wide_into_half(f: Any, nn: Any, x: Any, y: Any) -> Any:
    h = x.half()
    h += y * 0.001
    return h, x


def broadcasting_source(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x += y[0]
    x *= y[:, :1]
    return x


def relu_method(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.view(2, 12)
    x.relu_()
    return z


def relu_function(f: Any, nn: Any, x: Any, y: Any) -> Any:
    f.relu(x, inplace=True)
    return x


def functions(f: Any, nn: Any, x: Any, y: Any) -> Any:
    a, b = x.chunk(2, 1)
    f.leaky_relu(a, 0.1, True)
    f.hardtanh(b, -0.5, 0.5, inplace=True)
    f.elu(y, inplace=True)
    f.silu(x, inplace=True)
    f.hardswish(y, True)
    return x, y


def underscore_functions(f: Any, nn: Any, x: Any, y: Any) -> Any:
    f.relu_(x)
    f.sigmoid_(y)
    return x, y


def dropout_in_eval(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = f.dropout(x, 0.5, training=False)
    z += 1
    return x


def module_in_place(f: Any, nn: Any, x: Any, y: Any) -> Any:
    nn.ReLU(True)(x)
    return x + y


def module_by_keyword(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = nn.LeakyReLU(0.2, inplace=True)(x)
    z += 1
    return x


def modules(f: Any, nn: Any, x: Any, y: Any) -> Any:
    nn.Sequential(nn.ELU(1.5, True), nn.Hardtanh(-0.2, 0.7, True), nn.SiLU(True), nn.Mish(True))(x)
    nn.Sequential(nn.ReLU6(inplace=True), nn.SELU(True), nn.CELU(1.2, True), nn.Hardswish(inplace=True))(y)
    return x, y


def identity_module(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = nn.Identity()(x)
    z.mul_(3)
    return x


def module_not_in_place(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = nn.ReLU()(x)
    z += 1
    return x, z


def residual(f: Any, nn: Any, x: Any, y: Any) -> Any:
    relu = nn.ReLU(inplace=True)
    identity = x
    out = relu(x * 2)
    out += identity
    return relu(out), identity


def residual_after_in_place(f: Any, nn: Any, x: Any, y: Any) -> Any:
    identity = x
    out = nn.ReLU(inplace=True)(x) * 2
    out += identity  # the rectified
    return out


def slice_written(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[1:3] = 7
    x[:, 2:4] = y[:, :2]
    return x


def slice_augmented(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[1:3] += 1
    x[:, -1] *= 3
    x[0, 0] -= 2
    x[..., 1:5] /= 2
    return x


def corners(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[1:3, 2:5] = y[:2, :3]
    x[-1, -1] = 0
    x[:1, :2] = 4
    return x


def steps(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[::2] = y[1::2]
    x[:, 1::3] += 5
    x[1::2, ::2] = 0.25
    return x


def whole(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.t()
    x[:] = y
    return x, z


def ellipsis(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[...] = 3
    x[..., 0] = y[:, 1]
    return x


def none_in_index(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[:, None, 2] = y[:, :1]
    x[None][0, 1] = 9
    return x


def leading_ones_of_the_value(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[0] = y[1:2][None]
    return x


def integers_from_floats(f: Any, nn: Any, x: Any, y: Any) -> Any:
    i = x.long()
    i[0] = 2.7
    i[1:3] = y[:2] * 3
    return i


def empty_slice(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[2:2] = 5
    return x


def overlap(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[1:] = x[:-1].clone()
    return x


def swap(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[:], y[:] = y.clone(), x.clone()
    return x, y


def swap_without_clone(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[:], y[:] = y, x
    return x, y


def swap_of_rows(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[0], x[1] = x[1], x[0]
    return x


def chunks(f: Any, nn: Any, x: Any, y: Any) -> Any:
    a, b, c = x.chunk(3, 1)
    b.zero_()
    a += c
    return x, a, b, c


def chunk_not_the_base(f: Any, nn: Any, x: Any, y: Any) -> Any:
    a, b = x.split([2, 4], 1)
    a.copy_(y[:, :2])
    return a * 2, b


def views_see_each_other(f: Any, nn: Any, x: Any, y: Any) -> Any:
    a, b = x[1:3], x[:, 2:4]
    a += 10
    b *= 2
    a[0, 2] = -1
    return a, b, x


def view_of_a_view(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[1:][:, ::2][0][1] = 5
    z = x.view(2, 2, 6).transpose(0, 1)[1]
    z += 1
    return x, z


def transposed(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.T
    z[0] = 1
    z += y.t()
    x.mT[2, 1] = 8
    return x, z


def permuted(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.view(2, 2, 6).permute(2, 0, 1)
    z[3] = 0
    z.movedim(0, 2)[1, 1, :2] = 4
    return x


def flat(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.view(-1)[5:11] = 1
    x.flatten()[0] = 2
    x.reshape(6, 4)[-1] = 3
    return x


def flatten_of_transposed_copies(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.t().flatten()
    z += 1
    w = x.t().reshape(3, 8)
    w.zero_()
    return x, z, w


def contiguous(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.contiguous()[0] = 1
    z = x.t().contiguous()
    z.zero_()
    return x, z


def squeezed(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.unsqueeze(1).squeeze(1)[1] = 2
    x[:, :1].squeeze(-1).mul_(4)
    return x


def unbound(f: Any, nn: Any, x: Any, y: Any) -> Any:
    for i, row in enumerate(x.unbind(0)):
        row += i
    for column in x.unbind(1)[:2]:
        column.mul_(2)
    return x


def iterated(f: Any, nn: Any, x: Any, y: Any) -> Any:
    for row, other in zip(x, y):  # noqa: B905
        row.copy_(other * 2)
    return x


def loop(f: Any, nn: Any, x: Any, y: Any) -> Any:
    for i in range(4):
        x[i] += x[i - 1]
        x[i, i] = i
    return x


def recurrence(f: Any, nn: Any, x: Any, y: Any) -> Any:
    h = y[0].clone()
    out = f.zeros_like(x)
    for i in range(4):
        h = f.tanh(h + x[i])
        out[i] = h
    return out, h


def diagonal(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[:, :4].diagonal().fill_(1)
    x.diagonal(1).mul_(5)
    return x


def fill_diagonal(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.fill_diagonal_(9.0)
    return x


def narrowed(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.narrow(1, 2, 3).add_(1)
    x.select(0, 2).fill_(0.5)
    return x


def unflattened(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.unflatten(1, (2, 3))[:, 1] = y[:, :3]
    return x


def detached(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.detach().add_(1)
    x.data.mul_(2)
    return x


def cloned(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.clone()
    z.zero_()
    return x, z


def cast_aliases(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.float().add_(1)
    x.half().add_(5)
    x.to(y.dtype).mul_(2)
    return x


def copies_are_no_views(f: Any, nn: Any, x: Any, y: Any) -> Any:
    results = (x.repeat(1, 1), f.cat([x], 0), x[[0, 1, 2, 3]], x + 0, f.where(x > 9, y, x), x.clamp(-100, 100))
    for z in results:
        z.zero_()
    return x


def value_kept(f: Any, nn: Any, x: Any, y: Any) -> Any:
    before = x + 0
    total = x.sum()
    x.zero_()
    return before, total, x


def list_of_tensors(f: Any, nn: Any, x: Any, y: Any) -> Any:
    kept = [x, y]
    kept[0] += 1
    kept[1][0] = 3
    return x, y


def masked(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[x > 0] = 0.5
    x[y < 0] = x[0, 0].clone()
    return x


def masked_rows(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[y[:, 0] > 0] = y[1]
    x[:, x[0] > 0] = 2
    x[1:][y[1:] > 0] = 7
    return x


def masked_by_known(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[np.array([True, False, True, False])] = y[:2] * 2
    x[1:, np.arange(6) > 3] = y[0, :2]
    x[np.eye(4, 6) > 0] = y[:, 5]
    return x


def boxes(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.view(2, 2, 6)
    z[..., 0:2] = (z[..., 0:2] * 2.0 - 0.5) * 8
    z[..., 2:4] = (z[..., 2:4] * 2) ** 2
    z[..., 0].clamp_(0, 1)
    return z


def shifted_in_time(f: Any, nn: Any, x: Any, y: Any) -> Any:
    out = f.zeros_like(x)
    out[:-1, :2] = x[1:, :2]
    out[1:, 2:4] = x[:-1, 2:4]
    out[:, 4:] = x[:, 4:]
    return out


def mask_of_windows(f: Any, nn: Any, x: Any, y: Any) -> Any:
    mask, count = f.zeros((1, 8, 8, 1)), 0
    for rows in (slice(0, -4), slice(-4, -2), slice(-2, None)):
        for columns in (slice(0, -4), slice(-4, -2), slice(-2, None)):
            mask[:, rows, columns, :] = count
            count += 1
    return mask


def causal_mask(f: Any, nn: Any, x: Any, y: Any) -> Any:
    mask = f.zeros((4, 4))
    mask[:2, 2:] = float("-inf")
    return (x @ y.t() + mask).softmax(-1)


def position_of_a_tensor(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.view(-1)[x.argmax()] = 0
    x[range(2)] += 1
    x[0, [1, 2]] = 5
    x[[0, 1], 2] = 7
    return x


def masked_in_a_view(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.t()
    z[z < 0] = 0
    return x


def index_list(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[[0, 2]] = y[:2]
    x[:, [-1, 1]] = 4
    x[[1, 3], [2, 0]] = y[0, :2]
    return x


def index_tensor(f: Any, nn: Any, x: Any, y: Any) -> Any:
    i = (y[:, 0] > 0).long() + f.arange(4) // 4
    x[f.arange(4), i] = 3
    x[:, i[:1] + 3] = 5
    return x


def index_matrix(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[:, [[0, 1], [3, 5]]] = y[:, :4].reshape(4, 2, 2)
    x.t()[[2, 4]] = y[:2, :4]
    return x


def index_separated(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x.view(4, 2, 3)
    z[[0, 1], :, [2, 0]] = y[:2, :2]
    return x


def index_methods(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.index_add_(0, f.arange(2), y[:2])
    x.scatter_(1, (y > 0).long(), y)
    return x


def written_twice(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x[0]
    x.add_(1)
    z.add_(1)
    x.add_(1)
    return x, z


def later_views(f: Any, nn: Any, x: Any, y: Any) -> Any:
    early = x[1]
    x += y
    late = x[1]
    late *= 2
    return early, late


def constants_are_new(f: Any, nn: Any, x: Any, y: Any) -> Any:
    a, b = f.zeros((4, 6)), f.zeros((4, 6))
    a += x
    b[0] = 1
    c = f.ones_like(x)
    c *= 3
    return a, b, c + f.ones_like(x)


def arange_written(f: Any, nn: Any, x: Any, y: Any) -> Any:
    a = f.arange(6)
    a += 1
    return a, f.arange(6)


def zero_dimensions(f: Any, nn: Any, x: Any, y: Any) -> Any:
    s = x.sum()
    t = s
    s += 1
    s[...] = t * 2
    return s, t


def copy_of_integers(f: Any, nn: Any, x: Any, y: Any) -> Any:
    i = x.long()
    i.copy_(y * 3)
    x.copy_(i)
    x.copy_(y[0])
    return i, x


def swapped_axes(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x.view(2, 2, 6).swapaxes(0, 2)[0].fill_(1)
    return x


def expanded_read(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x[0].expand(4, 6)
    x[0] = 5
    return z + y


def bools(f: Any, nn: Any, x: Any, y: Any) -> Any:
    m = x > 0
    n = m[1:3]
    n |= y[:2] > 0
    n &= y[1:3] < 1
    n ^= y[2:] > 0
    m[::2] = False
    m[:, 1] = y[:, 0] > 0
    return m, n


PROGRAMS: dict[str, Program] = {
    name: value for name, value in globals().items() if callable(value) and getattr(value, "__module__", "") == __name__
}


def expand_written(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[0].expand(4, 6).add_(1)
    return x


def floats_into_integers(f: Any, nn: Any, x: Any, y: Any) -> Any:
    i = x.long()
    i += y
    return i


def numbers_into_bools(f: Any, nn: Any, x: Any, y: Any) -> Any:
    m = x > 0
    m += 1
    return m


def division_of_integers(f: Any, nn: Any, x: Any, y: Any) -> Any:
    i = x.long()
    i /= 2
    return i


def larger_than_the_receiver(f: Any, nn: Any, x: Any, y: Any) -> Any:
    z = x[0].clone()
    z += y
    return z


def value_too_large(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[0] = y
    return x


def index_out_of_range(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[4] = 1
    return x


def index_tensor_out_of_range(f: Any, nn: Any, x: Any, y: Any) -> Any:
    x[[0, 4]] = 1
    return x


REFUSED: dict[str, tuple[Program, str]] = {
    "expand": (expand_written, r"cannot write in place to an expanded tensor"),
    "floats into integers": (floats_into_integers, r"add_ gives float32, which a tensor of int64 cannot take in place"),
    "numbers into bools": (numbers_into_bools, r"add_ gives int64, which a tensor of bool cannot take in place"),
    "division of integers": (division_of_integers, r"div_ gives float32, which a tensor of int64 cannot take"),
    "larger": (larger_than_the_receiver, r"add_ gives another shape than that of the tensor it writes to"),
    "value": (value_too_large, r"what is written has a shape that does not broadcast to \[6\]"),
    "index": (index_out_of_range, r"index 4 is out of range"),
    "index tensor": (index_tensor_out_of_range, r"index .* is out of range"),
}
"""What torch refuses as well, and how we say it."""
