"""By kind, the operations that every form of it is compared at; several, where forms apply to some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ops.cases.case import Case, library, like
from ops.cases.convolutions import conv
from ops.cases.transformers import attention

from trtnet import ops
from trtnet.ops.shapes.turned import turned

RNG = np.random.default_rng(3)
PATCH, SHIFT = RNG.standard_normal((5, 3, 2, 3)) / 4, RNG.standard_normal(5)
MATRIX, OTHER = RNG.standard_normal((5, 6)) / 2, RNG.standard_normal((5, 6)) / 2
GAIN, OFFSET = RNG.standard_normal(6), RNG.standard_normal(6)
PIXEL, THIN = RNG.standard_normal((5, 3, 1, 1)), RNG.standard_normal((5, 3, 3, 2)) / 4
GROUPED = RNG.standard_normal((32, 4, 3, 3)) / 6
MERGED = RNG.standard_normal((5, 9, 2, 2)) / 6
SLIDING = RNG.standard_normal((6, 1, 5, 6)) / 6
SUBPIXEL, OFFSETS = RNG.standard_normal((12, 3, 3, 2)) / 4, RNG.standard_normal(12)
QKV, BIASES = np.random.default_rng(8).standard_normal((96, 6)) / 2, np.random.default_rng(9).standard_normal(96)
BIAS, MASK = RNG.standard_normal((1, 3, 4, 4)), RNG.standard_normal((1, 1, 1, 4, 4))
SHIFTED = (slice(0, -2), slice(-2, -1), slice(-1, None))
BRANCH, POINT, DEPTHWISE = (RNG.standard_normal((6, n, k, w)) / 6 for n, k, w in ((6, 3, 3), (6, 1, 1), (1, 3, 4)))
HEADS, GROUPS = ("n", 4, "s", 8), ("n", 2, "s", 8)
EIGHT, TWELVE = (RNG.standard_normal((6, n, 1, 1)) / 4 for n in (8, 12))
LONG = np.random.default_rng(10).standard_normal((6, 64, 3, 3)) / 24
TEN, OTHER_TEN = np.random.default_rng(11).standard_normal((2, 10, 10, 3, 3)) / 9
ONE_QUERY, TOKENS, IMAGE = ("n", 4, 1, 8), ("n", "s", 6), ("n", 6, "h", 5)
STEMS = [
    ((7, 7), 2, 3, (16, 20)),
    ((7, 7), 2, 3, (15, 17)),
    ((11, 11), 4, 2, (31, 24)),
    ((3, 3), 2, 0, (16, 17)),
    ((3, 3), 2, 1, (9, 8)),
    ((5, 6), (2, 3), (1, 0), (17, 12)),
    ((4, 4), (1, 2), (2, 3), (9, 8)),
    ((3, 7, 7), (1, 2, 2), (1, 3, 3), (4, 12, 11)),
]


def pair(ours: Any, theirs: Any, kernel: np.ndarray, bias: np.ndarray | None, **options: Any) -> tuple[Any, Any]:
    """A function of constant weights, ours and torch's."""
    return tuple(conv(f, kernel, bias, **options) for f in (ours, theirs))


def convolution(kernel: np.ndarray, bias: np.ndarray | None = None, **options: Any) -> tuple[Any, Any]:
    ours, theirs = (ops.conv2d, F.conv2d) if kernel.ndim == 4 else (ops.conv3d, F.conv3d)
    return pair(ours, theirs, kernel, bias, **options)


def stem(window: tuple[int, ...], stride: Any, padding: Any, sizes: tuple[int, ...]) -> Case:
    kernel = RNG.standard_normal((5, 3, *window)) / 8
    name = f"stem {'x'.join(map(str, window))} stride {stride} padding {padding} of {sizes}"
    return Case(name, *convolution(kernel, SHIFT, stride=stride, padding=padding), (("n", 3, *sizes),))


def functional(name: str, *arguments: Any, shape: tuple[Any, ...] = ("n", 3, "s"), **options: Any) -> Case:
    """A function that has one name in ours and torch's."""
    ours, theirs = getattr(ops, name), getattr(F, name)
    text = " ".join([name, *map(str, arguments), *(f"{key}={value}" for key, value in options.items())])
    return Case(text, lambda x: ours(x, *arguments, **options), lambda x: theirs(x, *arguments, **options), (shape,))


def weighted(name: str, *first: Any, weights: tuple[np.ndarray, ...] = (), **options: Any) -> Callable[[Any], Any]:
    """The same with constants behind the first arguments."""

    def call(x: Any) -> Any:
        function = getattr(F if isinstance(x, torch.Tensor) else ops, name)
        return function(x, *first, *(like(w, x) for w in weights), **options)

    return call


def norm(name: str, *first: Any, weights: tuple[np.ndarray, ...] = (), shape: tuple[Any, ...] = TOKENS) -> Case:
    function = weighted(name, *first, weights=weights)
    return Case(f"{name} {first} with {len(weights)} weights of {shape}", function, function, (shape,))


def gated(x: Any) -> Any:
    """Three products of one tensor, and one of another."""
    linear = F.linear if isinstance(x, torch.Tensor) else ops.linear
    gate, up = linear(x, like(MATRIX, x), like(SHIFT, x)), linear(x, like(OTHER, x))
    return gate * up + linear(x, like(MATRIX, x)) * linear(x + 1, like(OTHER, x))


def class_token(x: Any) -> Any:
    """The first position of a perceptron beside its input."""
    linear, gelu = (F.linear, F.gelu) if isinstance(x, torch.Tensor) else (ops.linear, ops.gelu)
    inner = gelu(linear(x, like(MATRIX, x), like(SHIFT, x)))
    return (x + linear(inner, like(OTHER.T.copy(), x)))[:, 0]


def last_positions(x: Any) -> Any:
    """The last positions of an attention over all, between permutations."""
    attend = F.scaled_dot_product_attention if isinstance(x, torch.Tensor) else ops.scaled_dot_product_attention
    y = attend(x, x, x).permute(1, 0, 2)
    return y[-2:] * 2


def branches(x: Any) -> Any:
    """RepVGG's: two convolutions of an image, each with a batch norm, the image's own, and the image."""
    f = F if isinstance(x, torch.Tensor) else ops
    large, small, gain, offset = (like(w, x) for w in (BRANCH, POINT, GAIN, OFFSET))

    def normed(y: Any) -> Any:
        return f.batch_norm(y, like(OFFSET, x), like(np.abs(GAIN) + 0.5, x), gain, offset)

    return normed(f.conv2d(x, large, offset, padding=1)) + normed(f.conv2d(x, small)) + normed(x) + x


def depthwise_branches(x: Any) -> Any:
    """MobileOne's, with strides: the larger window is the second one, and the image is not as large."""
    f = F if isinstance(x, torch.Tensor) else ops
    large, small = (like(w, x) for w in (DEPTHWISE, DEPTHWISE[:, :, :1, :2]))
    one = f.conv2d(x, small, stride=2, padding=(0, 1), groups=6)
    return one + f.conv2d(x, large, like(OFFSET, x), stride=2, padding=(1, 2), groups=6)


def turned_image(x: Any) -> Any:
    """An image as forms keep it: with its channels before its batch."""
    return x if isinstance(x, torch.Tensor) else turned(x.permute(1, 0, 2, 3), (1, 0, 2, 3))


def mixer_block(x: Any) -> Any:
    """ConvMixer's first half, of an image that is kept so, with a batch norm before it."""
    f, norm = (
        F if isinstance(x, torch.Tensor) else ops,
        [like(w, x) for w in (OFFSET, np.abs(GAIN) + 0.5, GAIN, OFFSET)],
    )
    image = f.batch_norm(f.relu(turned_image(x)), *norm)
    y = f.conv2d(image, like(SLIDING[..., :5], x), like(OFFSET, x), padding=2, groups=6)
    return image + f.batch_norm(f.relu(y), *norm)


def pixelwise(x: Any) -> Any:
    """1x1 convolutions of an image that is kept so, with what follows."""
    f, norm = (
        F if isinstance(x, torch.Tensor) else ops,
        [like(w, x) for w in (OFFSET, np.abs(GAIN) + 0.5, GAIN, OFFSET)],
    )
    y = f.batch_norm(f.relu(f.conv2d(turned_image(x), like(POINT, x), like(OFFSET, x))), *norm)
    return f.conv2d(f.gelu(y) * like(GAIN[:, None, None], x), like(TWELVE[:, :6], x)) + y


def pixel_perceptron(x: Any) -> Any:
    """PoolFormer's perceptron and its shortcut: 1x1 convolutions with biases, and a scale of each channel."""
    f = F if isinstance(x, torch.Tensor) else ops
    y = f.gelu(f.conv2d(x, like(TWELVE.reshape(12, 6, 1, 1), x), like(TWELVE[0, :, 0, 0], x)))
    return x + like(GAIN[:, None, None], x) * f.conv2d(y, like(TWELVE, x), like(OFFSET, x))


def pool_former(x: Any) -> Any:
    """Two of PoolFormer's blocks, which keep their shortcuts, norms and pools in one order."""
    f, gain = F if isinstance(x, torch.Tensor) else ops, like(GAIN[:, None, None], x)
    for _ in range(2):
        y = f.group_norm(x, 1, like(GAIN, x), like(OFFSET, x))
        x = x + gain * (f.avg_pool2d(y, 3, 1, 1, count_include_pad=False) - y)
        x = pixel_perceptron(f.group_norm(x, 1, like(GAIN, x), like(OFFSET, x))) + x
    return x


def of_one_group(x: Any, image: Any, gain: bool) -> Any:
    """A norm of an image as a whole."""
    f, weights = F if isinstance(x, torch.Tensor) else ops, (GAIN, OFFSET) if gain else ()
    return f.group_norm(image, 1, *(like(w, x) for w in weights))


def normed_pool(gain: bool, image: Callable[[Any], Any] = lambda x: x) -> Callable[[Any], Any]:
    """PoolFormer's mixer of a norm of one group."""

    def call(x: Any) -> Any:
        f, y = F if isinstance(x, torch.Tensor) else ops, of_one_group(x, image(x), gain)
        return f.avg_pool2d(y, 3, 1, 1, count_include_pad=False) - y

    return call


def normed_pixels(gain: bool, image: Callable[[Any], Any] = lambda x: x) -> Callable[[Any], Any]:
    """Two 1x1 convolutions of a norm of one group, one of them without a bias where there is none of the norm."""

    def call(x: Any) -> Any:
        f, y = F if isinstance(x, torch.Tensor) else ops, of_one_group(x, image(x), gain)
        return f.gelu(f.conv2d(y, like(POINT, x), like(OFFSET, x))) * f.conv2d(y, like(EIGHT[:, :6], x), like(GAIN, x))

    return call


def normed_rows(gain: bool) -> Callable[[Any], Any]:
    """Three linear layers of a layer norm."""

    def call(x: Any) -> Any:
        f, weights = F if isinstance(x, torch.Tensor) else ops, (GAIN, OFFSET) if gain else ()
        y = f.layer_norm(x, (6,), *(like(w, x) for w in weights))
        both = f.linear(y, like(MATRIX, x), like(SHIFT, x)) + f.linear(y, like(OTHER, x))
        return both * f.linear(y, like(OTHER, x), like(SHIFT, x))

    return call


def normed_stored(x: Any) -> Any:
    """GPT-2's product of a layer norm, in another shape."""
    f = F if isinstance(x, torch.Tensor) else ops
    return f.layer_norm(x, (6,), like(GAIN, x), like(OFFSET, x)).reshape(-1, 6) @ like(MATRIX.T, x) + like(SHIFT, x)


def pixel_fire(x: Any) -> Any:
    """SqueezeNet's: what is squeezed is read by convolutions of single pixels and of windows."""
    f = F if isinstance(x, torch.Tensor) else ops
    y = f.relu(f.conv2d(x, like(POINT, x), like(OFFSET, x)))
    one = f.conv2d(y, like(TWELVE.reshape(12, 6, 1, 1), x), like(TWELVE[0, :, 0, 0], x))
    return (torch if isinstance(x, torch.Tensor) else ops).cat((one, f.conv2d(y, like(BRANCH, x), padding=1)), 1)


def pixel_norm(x: Any) -> Any:
    """Batch norms before and behind, and a shortcut that is kept in the same order."""
    f = F if isinstance(x, torch.Tensor) else ops
    norm = [like(w, x) for w in (OFFSET, np.abs(GAIN) + 0.5, GAIN, OFFSET)]
    y = f.batch_norm(f.conv2d(f.batch_norm(x, *norm), like(POINT, x), like(OFFSET, x)), *norm)
    return y + f.conv2d(f.relu(y), like(POINT, x))


def perceptron_beside(x: Any) -> Any:
    """ConvNeXt's last product and its shortcut, an image that is kept so."""
    f, image = F if isinstance(x, torch.Tensor) else ops, turned_image(x)
    y = f.linear(f.gelu(x.permute(0, 2, 3, 1)), like(POINT[..., 0, 0], x), like(OFFSET, x))
    return image + like(GAIN[:, None, None], x) * y.permute(0, 3, 1, 2)


def subpixel(bias: np.ndarray | None, **options: Any) -> Callable[[Any], Any]:
    """A convolution before a pixel shuffle."""

    def call(x: Any) -> Any:
        f = F if isinstance(x, torch.Tensor) else ops
        return f.pixel_shuffle(f.conv2d(x, like(SUBPIXEL, x), None if bias is None else like(bias, x), **options), 2)

    return call


def normed_subpixel(x: Any) -> Any:
    """With a batch norm between them."""
    f = F if isinstance(x, torch.Tensor) else ops
    mean, gain, offset = (like(w, x) for w in (OFFSETS, np.abs(OFFSETS) + 0.5, OFFSETS))
    y = f.batch_norm(f.conv2d(x, like(SUBPIXEL, x), padding=(2, 1)), mean, gain, gain, offset)
    return f.pixel_shuffle(y, 2)


def normed_sum(x: Any) -> Any:
    """A convolution of many channels, a batch norm and a ReLU."""
    f = F if isinstance(x, torch.Tensor) else ops
    gain, offset = like(np.abs(GAIN) + 0.5, x), like(OFFSET, x)
    return f.relu(f.batch_norm(f.conv2d(x, like(LONG, x), padding=1), offset, gain, gain, offset))


def shuffled_channels(groups: int) -> Callable[[Any], Any]:
    """ShuffleNet's, in torch's operations."""

    def call(x: Any) -> Any:
        batch, channels, height, width = x.shape
        apart = x.view(batch, groups, channels // groups, height, width)
        return apart.transpose(1, 2).contiguous().view(batch, channels, height, width)

    return call


def shuffled_convolution(x: Any) -> Any:
    f = F if isinstance(x, torch.Tensor) else ops
    norm = [like(w, x) for w in (OFFSET, np.abs(GAIN) + 0.5, GAIN, OFFSET)]
    return f.batch_norm(f.conv2d(shuffled_channels(2)(x), like(BRANCH, x), like(OFFSET, x), padding=(1, 2)), *norm)


def shuffle_unit(x: Any) -> Any:
    """The second half of shuffled channels through a convolution, beside the first half."""
    f, (first, second) = F if isinstance(x, torch.Tensor) else ops, shuffled_channels(3)(x).chunk(2, 1)
    return library(x).cat([first, f.relu(f.conv2d(second, like(POINT[:, :3], x), like(OFFSET, x)))], 1)


def unaligned_blocks(x: Any) -> Any:
    """Residual blocks of ten channels, a depthwise convolution, a gate, and an image of half the size beside it."""
    f, ten, last = F if isinstance(x, torch.Tensor) else ops, like(TEN, x), like(OTHER_TEN, x)
    y = f.relu(f.conv2d(x, ten[:, :6], like(OTHER_TEN[0, :, 0, 0], x), padding=1))
    y = f.relu(f.conv2d(f.silu(f.conv2d(y, last, padding=1)), like(TEN[:, :1], x), padding=1, groups=10) + y)
    half = f.interpolate(f.conv2d(f.max_pool2d(y, 2), last[:, :, :1, :1]), scale_factor=2, mode="nearest")
    return library(x).cat([f.conv2d(f.relu(half + y), last, padding=1)[:, 2:5], y], 1)


def unaligned_shuffles(x: Any) -> Any:
    """ShuffleNet's units of halves of ten channels."""
    f, ten = F if isinstance(x, torch.Tensor) else ops, like(OTHER_TEN, x)
    first, second = f.relu(f.conv2d(x, like(TEN[:, :6], x))), f.conv2d(x, like(OTHER_TEN[:, :6], x))
    for _ in range(2):
        y = shuffled_channels(2)(library(x).cat([first, f.relu(f.conv2d(second, ten, padding=1))], 1))
        first, second = y.chunk(2, 1)
    return f.conv2d(y, like(np.concatenate([OTHER_TEN, TEN], 1), x))


def windows(x: Any) -> Any:
    """Swin's, of 2 x 3 pixels."""
    batch, height, width, channels = x.shape
    apart = x.view(batch, height // 2, 2, width // 3, 3, channels)
    return apart.permute(0, 1, 3, 2, 4, 5).reshape(batch * (height // 2) * (width // 3), 6, channels)


def windows_and_back(x: Any) -> Any:
    batch, height, width, channels = x.shape
    apart = windows(x).view(batch, height // 2, width // 3, 2, 3, channels)
    return apart.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, height, width, channels) + windows(x).sum()


def merged_patches(x: Any) -> Any:
    """Swin's, as timm writes it."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 4, 2, 5).flatten(3)


def grid(x: Any) -> Any:
    """MaxViT's."""
    batch, height, width, channels = x.shape
    apart = x.view(batch, 2, height // 2, 3, width // 3, channels)
    return apart.permute(0, 2, 4, 1, 3, 5).reshape(-1, 6, channels)


def rolled(shifts: Any, dims: Any) -> Callable[[Any], Any]:
    return lambda x: x.roll(shifts, dims)


def shifted_windows(x: Any) -> Any:
    return windows(x.roll((-1, -1), (1, 2)))


def inception(x: Any) -> Any:
    """Three convolutions of an image: two with an activation and a batch norm, one of whose results goes on."""
    f = F if isinstance(x, torch.Tensor) else ops
    one, two, three = (like(w, x) for w in (POINT, POINT[:3] + 1, POINT[1:5] * 2))
    norm = [like(w, x) for w in (OFFSET, np.abs(GAIN) + 0.5, GAIN, OFFSET)]
    y = f.relu(f.conv2d(f.relu(f.batch_norm(f.conv2d(x, one, like(OFFSET, x)), *norm)), like(BRANCH, x), padding=1))
    rest = [f.relu(f.conv2d(x, weight)) for weight in (two, three)]
    return library(x).cat([*rest, y], 1)


def fire(x: Any) -> Any:
    """SqueezeNet's, and Inception's of two long windows."""
    f, lib = F if isinstance(x, torch.Tensor) else ops, library(x)
    one, two, tall, wide = (like(w, x) for w in (POINT[:2], BRANCH, BRANCH[:3, :, :, 1:2], BRANCH[:4, :, 1:2] * 2))
    y = lib.cat([f.relu(f.conv2d(x, one)), f.relu(f.conv2d(x, two, like(OFFSET, x), padding=1))], 1)[:, 1:7]
    return lib.cat([f.silu(f.conv2d(y, tall, padding=(1, 0))), f.silu(f.conv2d(y, wide, padding=(0, 1)))], 1)


def separable(x: Any) -> Any:
    """Depthwise and pointwise, with batch norms between and behind; then without a bias, with two filters a channel."""
    f = F if isinstance(x, torch.Tensor) else ops
    norm = [like(w, x) for w in (OFFSET, np.abs(GAIN) + 0.5, GAIN, OFFSET)]
    y = f.batch_norm(f.conv2d(x, like(DEPTHWISE, x), like(OFFSET, x), padding=1, stride=(1, 2), groups=6), *norm)
    y = f.relu(f.batch_norm(f.conv2d(y, like(POINT, x)), *norm))
    return f.conv2d(f.conv2d(y, like(BRANCH[:, :2].reshape(12, 1, 3, 3), x), groups=6), like(TWELVE, x), stride=2)


def concatenated(x: Any, y: Any) -> Any:
    """A 1x1 convolution of two images and one of them again, with a batch norm, and one of 3x3."""
    f, lib = F if isinstance(x, torch.Tensor) else ops, library(x)
    norm = [like(w, x) for w in (OFFSET, np.abs(GAIN) + 0.5, GAIN, OFFSET)]
    z = f.relu(f.batch_norm(f.conv2d(lib.cat([x, y, x * 2], 1), like(EIGHT, x), like(OFFSET, x)), *norm))
    return f.conv2d(lib.cat([z[:, 2:], y], 1), like(BRANCH, x), padding=1)


def joined_blocks(axis: int, along: int, *, turned: bool = False) -> Callable[[Any], Any]:
    """Slices of 2 x 2 blocks from an axis on, joined; the row of a block varies first, or its column."""

    def call(x: Any) -> Any:
        places = [(i, j) if turned else (j, i) for i in range(2) for j in range(2)]
        before = (slice(None),) * axis
        parts = [x[(*before, slice(i, None, 2), slice(j, None, 2))] for i, j in places]
        return (torch if isinstance(x, torch.Tensor) else ops).cat(parts, along)

    return call


def masked_windows(x: Any) -> Any:
    """What torchvision's Swin adds to the attention of shifted windows, for windows of 2 x 2 pixels."""
    mask = x.new_zeros((4, 4))
    for count, (rows, columns) in enumerate((r, c) for r in SHIFTED for c in SHIFTED):
        mask[rows, columns] = count
    mask = mask.view(2, 2, 2, 2).permute(0, 2, 1, 3).reshape(4, 4)
    mask = mask.unsqueeze(1) - mask.unsqueeze(2)
    mask = mask.masked_fill(mask != 0, -100.0).masked_fill(mask == 0, 0.0)
    return x + mask.unsqueeze(0)


def triangle(x: Any) -> Any:
    lib = library(x)
    ones = x.new_ones((3, 5))
    return x + lib.where(lib.triu(ones) != 0, ones * 2, lib.zeros_like(ones) - 1)


def masked_twice(x: Any) -> Any:
    """Two layers that make a causal mask for themselves, and one that makes another."""
    lib, length = library(x), x.shape[-1]

    def causal(least: int) -> Any:
        places = lib.arange(length)
        near = (places.unsqueeze(0) - places.unsqueeze(1)) <= least
        return lib.where(near, lib.zeros((1, 1)), lib.full((1, 1), -4.0)).to(x.dtype)

    return (x + causal(0)).tanh() * 2 + causal(0) + causal(1)


def pixel_mean(x: Any) -> Any:
    return x.mean((-1, -2))


def biased_scores(x: Any) -> Any:
    """Swin's: a bias, and a mask for each window of an image."""
    scores = x * 2 + like(BIAS, x)
    return scores.view(x.shape[0], 1, 3, 4, 4) + like(MASK, x)


def twice_biased(x: Any) -> Any:
    return (x * 2 + like(BIAS, x)) + like(MASK[0], x)


def of_one_product(groups: int, length_first: bool = False) -> Callable[[Any], Any]:
    """Attention of four heads whose queries, keys and values are parts of one product."""

    def call(x: Any) -> Any:
        f, is_theirs = (F, True) if isinstance(x, torch.Tensor) else (ops, False)
        y = f.linear(x, like(QKV[: 8 * (4 + 2 * groups)], x), like(BIASES[: 8 * (4 + 2 * groups)], x))
        y = y.reshape(*x.shape[:2], 4 + 2 * groups, 8)
        y = y.permute(1, 2, 0, 3) if length_first else y.permute(0, 2, 1, 3)
        heads = y[:, :4], y[:, 4 : 4 + groups], y[:, 4 + groups :]
        return f.scaled_dot_product_attention(*heads, **({"enable_gqa": True} if is_theirs else {}))

    return call


def three_parts(x: Any) -> Any:
    """The same in timm's operations."""
    f = F if isinstance(x, torch.Tensor) else ops
    y = f.linear(x, like(QKV, x)).reshape(x.shape[0], x.shape[1], 3, 4, 8)
    return f.scaled_dot_product_attention(*y.permute(2, 0, 3, 1, 4).unbind(0))


def flattened(x: Any) -> Any:
    """A linear layer of pooled images."""
    f = F if isinstance(x, torch.Tensor) else ops
    return f.relu(f.linear(f.max_pool2d(x, 2).flatten(1), like(LONG[:, :24, 0, 0], x), like(OFFSET, x)))


def stored(x: Any) -> Any:
    """A product with a weight [in_features, out_features]."""
    return x @ like(LONG[:, :, 0, 0].T, x)


def linear_image(sizes: tuple[int, int], *, turned: bool = False) -> Callable[[Any], Any]:
    """PVTv2's perceptron: a linear layer, whose result is the image of a depthwise convolution."""

    def call(x: Any) -> Any:
        f = F if isinstance(x, torch.Tensor) else ops
        y = f.linear(x, like(MATRIX[:4], x), like(SHIFT[:4], x))
        image = y.view(-1, *sizes, 4).permute(0, 3, 1, 2) if turned else y.transpose(1, 2).view(-1, 4, *sizes)
        image = f.conv2d(image, like(DEPTHWISE[:4], x), like(OFFSET[:4], x), padding=1, groups=4)
        return f.gelu(image.flatten(2).transpose(1, 2))

    return call


def linear_image_without_bias(x: Any) -> Any:
    """Of pixels, whose result is read a second time."""
    f = F if isinstance(x, torch.Tensor) else ops
    y = f.linear(x, like(MATRIX, x))
    return f.conv2d(y.permute(0, 3, 1, 2), like(BRANCH[:, :5], x), stride=2) + y.mean()


FORM_CASES: dict[str, list[Case]] = {
    "accumulation": [
        Case("sums of a product", *pair(ops.linear, F.linear, MATRIX, SHIFT), (TOKENS,)),
        Case("sums of a product with a stored weight", stored, stored, (("n", 3, 64),)),
    ],
    "attention": [
        Case("attention", attention(), attention(), (HEADS,) * 3),
        Case("causal", attention(is_causal=True), attention(is_causal=True), (HEADS,) * 3),
        Case("groups", attention(), attention(), (HEADS, GROUPS, GROUPS)),
        Case("mask and groups", attention(), attention(), (HEADS, GROUPS, GROUPS, ("n", 1, "s", "s"))),
    ],
    "cat": [
        Case("concatenated", concatenated, concatenated, (("n", 3, "h", 5), ("n", 2, "h", 5))),
        Case("concatenated of known sizes", concatenated, concatenated, ((2, 3, 6, 5), (2, 2, 6, 5))),
    ],
    "biases": [
        Case("bias and mask", biased_scores, biased_scores, (("n", 3, 4, 4),)),
        Case("two biases", twice_biased, twice_biased, (("n", 3, 4, 4),)),
    ],
    "decoding": [
        Case("one query", attention(), attention(), (ONE_QUERY, HEADS, HEADS)),
        Case("one query, mask and groups", attention(), attention(), (ONE_QUERY, GROUPS, GROUPS, ("n", 1, 1, "s"))),
    ],
    "depthwise": [
        Case("depthwise", *convolution(SLIDING, OFFSET, groups=6, padding=(1, 2)), (("n", 6, 8, 7),)),
        Case(
            "depthwise strided, dilated",
            *convolution(SLIDING, groups=6, stride=(2, 3), dilation=(2, 1), padding=(2, 1)),
            (("n", 6, 8, 8),),
        ),
        Case("depthwise of a large image", *convolution(SLIDING, OFFSET, groups=6, stride=2), (("n", 6, 20, 15),)),
        Case("depthwise, same", *convolution(SLIDING, groups=6, padding="same", dilation=(1, 2)), (("n", 6, 8, 9),)),
        Case("depthwise, as many rows", *convolution(SLIDING, OFFSET, groups=6, padding=(2, 1)), (("n", 6, 8, 7),)),
        Case("depthwise, as many rows, unevenly", *convolution(SLIDING, groups=6, padding="same"), ((2, 6, 6, 9),)),
        Case("depthwise of a turned image", mixer_block, mixer_block, (("n", 6, 12, 5),)),
        Case("depthwise of small windows", *convolution(DEPTHWISE, groups=6), ((2, 6, 5, 6),)),
    ],
    "few_channels": [
        Case("blocks", unaligned_blocks, unaligned_blocks, ((2, 6, 8, 6),)),
        Case("blocks of images of any size", unaligned_blocks, unaligned_blocks, (("n", 6, 8, 6),)),
        Case("shuffled", unaligned_shuffles, unaligned_shuffles, (("n", 6, "h", 7),)),
    ],
    "flattened": [
        Case("flattened images", flattened, flattened, (("n", 6, 4, 5),)),
        Case("a flattened image", flattened, flattened, ((1, 6, 5, 4),)),
    ],
    "gelu": [functional("gelu"), functional("gelu", approximate="tanh")],
    "linear_image": [
        Case("a perceptron's image", linear_image((4, 5)), linear_image((4, 5)), (("n", 20, 6),)),
        Case("pixels of all images", linear_image((5, 4), turned=True), linear_image((5, 4), turned=True), ((40, 6),)),
        Case("without a bias", linear_image_without_bias, linear_image_without_bias, (("n", 7, 5, 6),)),
    ],
    "heads": [
        Case("heads of one product", of_one_product(4), of_one_product(4), (("n", "s", 6),)),
        Case("groups of one product", of_one_product(2), of_one_product(2), (("n", "s", 6),)),
        Case("length first", of_one_product(2, True), of_one_product(2, True), (("s", "n", 6),)),
        Case("three parts", three_parts, three_parts, (("n", 5, 6),)),
    ],
    "global_mean": [
        functional("adaptive_avg_pool2d", 1, shape=("n", 3, 7, 5)),
        functional("adaptive_avg_pool2d", 1, shape=("n", 3, "h", 5)),
        functional("adaptive_avg_pool2d", 1, shape=("n", 3, 28, 9)),
        functional("adaptive_avg_pool3d", 1, shape=("n", 3, 2, 3, 4)),
        Case("mean of pixels", pixel_mean, pixel_mean, (("n", 3, 4, 5),)),
    ],
    "group_norm": [
        norm("group_norm", 3, weights=(GAIN, OFFSET), shape=IMAGE),
        norm("group_norm", 2, shape=IMAGE),
        norm("group_norm", 1, weights=(GAIN, OFFSET), shape=("n", 6, 4)),
    ],
    "grouped": [
        Case("groups of four", *convolution(GROUPED, groups=8, padding=1), (("n", 32, "h", 9),)),
        Case(
            "strided, dilated",
            *convolution(GROUPED, RNG.standard_normal(32), groups=8, stride=2, dilation=(1, 2)),
            ((2, 32, 7, 9),),
        ),
        Case("depthwise", *convolution(RNG.standard_normal((6, 1, 3, 3)) / 3, groups=6), (("n", 6, "h", 9),)),
        Case("128 channels", *convolution(RNG.standard_normal((128, 1, 3, 3)) / 3, groups=128), (("n", 128, "h", 4),)),
        Case("96 channels", *convolution(RNG.standard_normal((96, 1, 3, 3)) / 3, groups=96), (("n", 96, 3, 4),)),
    ],
    "hardswish": [functional("hardswish")],
    "interpolation": [
        functional("interpolate", None, 2, mode="bilinear", shape=("n", 3, "h", 5)),
        functional("interpolate", (8, 15), mode="bilinear", shape=("n", 3, 4, 5)),
        functional("interpolate", (4, 20), mode="bilinear", shape=("n", 3, 4, 5)),
        functional("interpolate", (7, 21), mode="bilinear", align_corners=True, shape=("n", 3, 4, 5)),
        functional("interpolate", (3, 13), mode="bilinear", align_corners=True, shape=("n", 3, 4, 5)),
        functional("interpolate", None, (1.7, 0.6), mode="bilinear", shape=("n", 3, 9, 5)),
        functional("interpolate", None, 3, mode="linear", shape=("n", 3, "s")),
        functional("interpolate", (4, 3, 10), mode="trilinear", shape=("n", 3, 2, 3, 4)),
        functional("interpolate", 1, mode="bilinear", shape=("n", 3, 4, 5)),
    ],
    "layer_norm": [
        norm("layer_norm", (6,), weights=(GAIN, OFFSET)),
        norm("layer_norm", (6,)),
        norm("layer_norm", (3, 6), shape=("n", "s", 3, 6)),
        norm("layer_norm", (6,), weights=(GAIN, OFFSET), shape=("n", 3, "s", 6)),
    ],
    "merging": [
        Case("Swin's patches", *(joined_blocks(1, -1),) * 2, (("n", 4, 6, 5),)),
        Case("columns first", *(joined_blocks(1, -1, turned=True),) * 2, (("n", 4, 6, 5),)),
        Case("YOLO's focus", *(joined_blocks(2, 1),) * 2, (("n", 3, 4, 6),)),
        Case("focus, rows first", *(joined_blocks(2, 1, turned=True),) * 2, ((2, 3, 4, 6),)),
        Case("of a volume", *(joined_blocks(2, -1),) * 2, (("n", 3, 4, 6, "s"),)),
    ],
    "normed_pixels": [
        Case("a perceptron of a norm", *(normed_pixels(True),) * 2, (IMAGE,)),
        Case("of a norm without weights", *(normed_pixels(False),) * 2, ((2, 6, 4, 5),)),
        Case("of columns", *(normed_pixels(True, turned_image),) * 2, (("n", 6, 3, 5),)),
        Case("two blocks of PoolFormer", pool_former, pool_former, (IMAGE,)),
    ],
    "normed_pool": [
        Case("PoolFormer's mixer", *(normed_pool(True),) * 2, (IMAGE,)),
        Case("without weights", *(normed_pool(False),) * 2, ((2, 6, 4, 5),)),
        Case("of a turned image", *(normed_pool(True, turned_image),) * 2, (("n", 6, 3, 5),)),
        Case("two blocks of PoolFormer, of known size", pool_former, pool_former, ((2, 6, 4, 5),)),
    ],
    "normed_rows": [
        Case("of a layer norm", *(normed_rows(True),) * 2, (TOKENS,)),
        Case("of one without weights", *(normed_rows(False),) * 2, (("n", 3, "s", 6),)),
        Case("of one row", *(normed_rows(True),) * 2, ((1, 6),)),
        Case("stored", normed_stored, normed_stored, ((2, 3, 6),)),
    ],
    "patches": [
        Case("patches", *convolution(PATCH, SHIFT, stride=(2, 3)), (("n", 3, 4, 9),)),
        Case("patches of more channels", *convolution(MERGED, stride=2), (("n", 9, 4, 6),)),
        Case("patches without bias", *convolution(PATCH, stride=(2, 3)), ((2, 3, 4, 9),)),
    ],
    "pixel_shuffle": [
        functional("pixel_shuffle", 2, shape=("n", 12, "h", 3)),
        Case("behind a convolution", *(subpixel(OFFSETS, padding=1),) * 2, (("n", 3, "h", 5),)),
        Case("one bias for a channel", *(subpixel(np.repeat(OFFSETS[:3], 4)),) * 2, ((2, 3, 5, 4),)),
        Case("without bias", *(subpixel(None, padding=(2, 0)),) * 2, (("n", 3, 4, 5),)),
        Case("behind a batch norm", normed_subpixel, normed_subpixel, (("n", 3, 4, 5),)),
        Case("behind a strided convolution", *(subpixel(OFFSETS, stride=2),) * 2, ((2, 3, 5, 5),)),
    ],
    "pixel_unshuffle": [
        functional("pixel_unshuffle", 2, shape=("n", 3, 4, 6)),
        functional("pixel_unshuffle", 3, shape=("n", 2, 3, 9, 6)),
    ],
    "pixelwise": [
        Case("pixelwise", pixelwise, pixelwise, (("n", 6, "h", 5),)),
        Case("perceptron of pixels", pixel_perceptron, pixel_perceptron, (("n", 6, "h", 5),)),
        Case("perceptron of pixels of known size", pixel_perceptron, pixel_perceptron, ((2, 6, 3, 5),)),
        Case("two blocks of PoolFormer", pool_former, pool_former, (("n", 6, "h", 5),)),
        Case("two blocks of PoolFormer, of known size", pool_former, pool_former, ((2, 6, 4, 5),)),
        Case("fire of pixels", pixel_fire, pixel_fire, (("n", 6, "h", "w"),)),
        Case("pixels between batch norms", pixel_norm, pixel_norm, (("n", 6, 3, "w"),)),
    ],
    "pointwise": [
        Case("pointwise", *convolution(PIXEL, SHIFT), (("n", 3, 1, 1),)),
        Case("pointwise without bias", *convolution(PIXEL), ((2, 3, 1, 1),)),
        Case("pointwise, long sums", *convolution(LONG[:, :, :1, :1], OFFSET), ((2, 64, 1, 1),)),
    ],
    "bias": [
        Case("bias", *pair(ops.linear, F.linear, MATRIX, SHIFT), (TOKENS,)),
        Case("bias of an image", *pair(ops.linear, F.linear, MATRIX, SHIFT), (("n", 3, "s", 6),)),
        Case("bias of two dimensions", *pair(ops.linear, F.linear, MATRIX, SHIFT), (("n", 6),)),
    ],
    "pooling": [
        functional("max_pool2d", 2, shape=IMAGE),
        functional("max_pool2d", 3, 2, 1, shape=IMAGE),
        functional("max_pool2d", 3, 2, ceil_mode=True, shape=("n", 3, 8, "w")),
        functional("max_pool2d", 3, 1, 1, shape=("n", 3, 1, 2)),
        functional("max_pool2d", (2, 4), (3, 1), (1, 2), ceil_mode=True, shape=("n", 3, "h", 5)),
        functional("max_pool1d", 3, 3, 1, ceil_mode=True),
        functional("max_pool3d", (2, 1, 3), (1, 2, 2), (1, 0, 1), shape=("n", 2, 3, "h", 5)),
        functional("avg_pool2d", 2, shape=IMAGE),
        functional("avg_pool2d", 3, 1, 1, count_include_pad=False, shape=IMAGE),
        functional("avg_pool2d", 3, 1, 1, count_include_pad=False, shape=("n", 3, 7, 4)),
        functional("avg_pool2d", 3, 2, 1, ceil_mode=True, shape=("n", 3, 8, "w")),
        functional("avg_pool2d", (3, 2), 2, (1, 0), ceil_mode=True, count_include_pad=False, shape=("n", 3, 6, 5)),
        functional("avg_pool2d", 3, 1, 1, shape=("n", 3, 1, 2)),
        functional("avg_pool1d", 3, 2, 1, ceil_mode=True, count_include_pad=False),
        functional("avg_pool3d", (2, 3, 1), 1, (1, 1, 0), shape=("n", 2, "h", 4, 5)),
    ],
    "positions": [
        Case("a class token", class_token, class_token, (TOKENS,)),
        Case("the last positions", last_positions, last_positions, (("n", 9, 6),)),
    ],
    "product": [
        Case("product", *pair(ops.linear, F.linear, MATRIX, SHIFT), (TOKENS,)),
        Case("product of an image", *pair(ops.linear, F.linear, MATRIX, SHIFT), (("n", 3, "s", 6),)),
        Case("product beside a turned image", perceptron_beside, perceptron_beside, (("n", 6, "h", 5),)),
        Case("product of two dimensions", *pair(ops.linear, F.linear, MATRIX, None), (("n", 6),)),
        Case("product of long sums", *pair(ops.linear, F.linear, LONG[:, :, 0, 0], OFFSET), ((2, 3, 64),)),
        Case("several of one tensor", gated, gated, (TOKENS,)),
        Case("several of one tensor of known size", gated, gated, ((2, 130, 6),)),
    ],
    "regrouping": [
        Case("channels", *(shuffled_channels(3),) * 2, (("n", 6, "h", 5),)),
        Case("windows", windows, windows, (("n", 4, 6, 5),)),
        Case("windows and back", windows_and_back, windows_and_back, (("n", 4, 6, 5),)),
        Case("merged patches", merged_patches, merged_patches, (("n", 4, 6, "s"),)),
        Case("grid", grid, grid, (("n", 4, 6, 5),)),
    ],
    "rms_norm": [
        norm("rms_norm", (6,), weights=(GAIN,)),
        norm("rms_norm", (6,)),
        norm("rms_norm", (3, 6), shape=("n", 3, 6)),
    ],
    "roll": [
        Case("roll", rolled(2, 1), rolled(2, 1), (("n", 3, "s"),)),
        Case("roll of two axes", rolled((-1, 4), (1, 2)), rolled((-1, 4), (1, 2)), (("n", 4, 6, 5),)),
        Case("shifted windows", shifted_windows, shifted_windows, (("n", 4, 6, 5),)),
    ],
    "row": [
        Case("row", *pair(ops.linear, F.linear, MATRIX, SHIFT), ((1, 1, 6),)),
        Case("a vector", *pair(ops.linear, F.linear, MATRIX, None), ((6,),)),
        Case("several of one row", gated, gated, ((1, 6),)),
    ],
    "separable": [Case("separable", separable, separable, (("n", 6, "h", 9),))],
    "siblings": [
        Case("Inception", inception, inception, (IMAGE,)),
        Case("fire", fire, fire, (("n", 6, "h", "w"),)),
    ],
    "select": [
        Case("Swin's mask", masked_windows, masked_windows, (("n", 4, 4, 4),)),
        Case("a constant mask", triangle, triangle, (("n", 3, 5),)),
        Case("the same mask twice", masked_twice, masked_twice, (("n", "s", "s"),)),
        Case("the same constant mask twice", masked_twice, masked_twice, ((2, 5, 5),)),
    ],
    "shuffled": [
        Case("shuffled", shuffled_convolution, shuffled_convolution, (("n", 6, "h", 5),)),
        Case("a half of it", shuffle_unit, shuffle_unit, (("n", 6, "h", 5),)),
    ],
    "silu": [functional("silu")],
    "softmax": [functional("softmax", 1, shape=("n", 9, "s")), functional("softmax", 1), functional("softmax", -1)],
    "split_k": [
        Case("split sums", *convolution(LONG, LONG[:, 0, 0, 0]), ((2, 64, 5, 4),)),
        Case("strided, without bias", *convolution(LONG, stride=2, padding=1), ((2, 64, 5, 4),)),
        Case("behind a batch norm", normed_sum, normed_sum, ((2, 64, 5, 4),)),
    ],
    "stem": [stem(*case) for case in STEMS],
    "stored_product": [
        Case("stored", stored, stored, (("n", 3, 64),)),
        Case("stored, of known size", stored, stored, ((5, 64),)),
    ],
    "sum": [
        Case("branches", branches, branches, (IMAGE,)),
        Case("depthwise branches", depthwise_branches, depthwise_branches, ((2, 6, 8, 7),)),
    ],
    "thin": [
        Case("thin", *convolution(THIN, SHIFT, padding=1), (("n", 3, "s", 9),)),
        Case("thin without bias", *convolution(THIN), ((2, 3, 6, 9),)),
        Case("thin, dilated", *convolution(THIN, SHIFT, padding=(1, 2), dilation=(1, 2)), (("n", 3, 6, 9),)),
    ],
    "unaligned": [
        Case("blocks", unaligned_blocks, unaligned_blocks, ((2, 6, 8, 6),)),
        Case("blocks of images of any size", unaligned_blocks, unaligned_blocks, (("n", 6, 8, 6),)),
        Case("shuffled", unaligned_shuffles, unaligned_shuffles, (("n", 6, "h", 7),)),
    ],
    "upsampling": [
        functional("interpolate", None, 2, shape=("n", 3, "h", 5)),
        functional("interpolate", (8, 15), shape=("n", 3, 4, 5)),
        functional("interpolate", None, 3, shape=("n", 3, "s")),
    ],
}
