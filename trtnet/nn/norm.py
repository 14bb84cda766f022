"""Normalization layers."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet import ops
from trtnet.graph import Buffer, Parameter, Tensor
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import inference_only, kept, shape_of
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import counted


def _check_rank(module: Module, x: Tensor, ranks: tuple[int, ...]) -> None:
    if x.ndim not in ranks:
        wanted = " or ".join(map(str, ranks))
        x.network.fail(
            f"{type(module).__name__} takes an input of {counted(wanted, 'dimension')}, found {x.ndim}", {"x": x}
        )


class _BatchNorm(Module):
    """Batch normalization at inference of x [batch, num_features, ...].

    Weights: running_mean, running_var and, if affine, weight and (with bias) bias, each [num_features]. momentum is
    training's. Raises ModelError for track_running_stats=False, with which torch takes the statistics of the batch, and
    LayerError for an input of another rank than torch takes.
    """

    ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
        bias: bool = True,
    ) -> None:
        if not track_running_stats:
            text = (
                "track_running_stats=False takes the batch's statistics; write it with x.mean, x.var and ops.batch_norm"
            )
            raise inference_only(type(self).__name__, text)
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(num_features, dtype=kept(dtype)) if affine else None
        self.bias = Parameter(num_features, dtype=kept(dtype)) if affine and bias else None
        self.running_mean = Buffer(num_features, dtype=kept(dtype))
        self.running_var = Buffer(num_features, dtype=kept(dtype))

    def forward(self, x: Tensor) -> Tensor:
        _check_rank(self, x, self.ranks)
        lifted = x.unsqueeze(-1) if x.ndim == 2 else x
        y = ops.batch_norm(lifted, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return y.squeeze(-1) if x.ndim == 2 else y


class BatchNorm1d(_BatchNorm):
    """torch.nn.BatchNorm1d at inference: x [batch, num_features] or [batch, num_features, length] -> the same shape.

    x: floating. momentum: used in training only. Returns the shape and dtype of `x`.
    Weights: running_mean, running_var and, if affine, weight and (with bias) bias, each [num_features].
    Layer: that of `ops.batch_norm`: none of its own after a convolution.
    Raises ModelError for track_running_stats=False, where torch takes the statistics of the batch; LayerError for
    another rank.
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """torch.nn.BatchNorm2d at inference: x [batch, num_features, height, width] -> the same shape.

    x: floating. momentum: used in training only. Returns the shape and dtype of `x`.
    Weights: running_mean, running_var and, if affine, weight and (with bias) bias, each [num_features].
    Layer: that of `ops.batch_norm`: none of its own after a convolution.
    Raises ModelError for track_running_stats=False, where torch takes the statistics of the batch; LayerError for
    another rank.
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """torch.nn.BatchNorm3d at inference: x [batch, num_features, depth, height, width] -> the same shape.

    x: floating. momentum: used in training only. Returns the shape and dtype of `x`.
    Weights: running_mean, running_var and, if affine, weight and (with bias) bias, each [num_features].
    Layer: that of `ops.batch_norm`: none of its own after a convolution.
    Raises ModelError for track_running_stats=False, where torch takes the statistics of the batch; LayerError for
    another rank.
    """

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """torch.nn.SyncBatchNorm at inference: x [batch, num_features, ...] -> the same shape.

    x: floating, of two to five dimensions. process_group, momentum: used in training only. Returns the shape and dtype
    of `x`.
    Weights: running_mean, running_var and, if affine, weight and (with bias) bias, each [num_features].
    Layer: that of `ops.batch_norm`: none of its own after a convolution.
    Raises ModelError for track_running_stats=False, where torch takes the statistics of the batch; LayerError for
    another rank.
    """

    ranks = (2, 3, 4, 5)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: object = None,
        device: object = None,
        dtype: DTypeLike | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)
        self.process_group = process_group


class _InstanceNorm(Module):
    """Normalization of each channel of x [batch, num_features, ...], or without a batch.

    Weights, if affine: weight and (with bias) bias [num_features]. With track_running_stats the statistics are those
    of training, running_mean and running_var [num_features], as in torch. Raises LayerError for an input of another
    rank than torch takes.
    """

    rank: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: object = None,
        dtype: DTypeLike | None = None,
        bias: bool = True,
    ) -> None:
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(num_features, dtype=kept(dtype)) if affine else None
        self.bias = Parameter(num_features, dtype=kept(dtype)) if affine and bias else None
        self.running_mean = Buffer(num_features, dtype=kept(dtype)) if track_running_stats else None
        self.running_var = Buffer(num_features, dtype=kept(dtype)) if track_running_stats else None

    def forward(self, x: Tensor) -> Tensor:
        _check_rank(self, x, (self.rank - 1, self.rank))
        batch = x if x.ndim == self.rank else x.unsqueeze(0)
        if self.running_mean is not None and self.running_var is not None:
            y = ops.batch_norm(batch, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        else:
            y = ops.instance_norm(batch, weight=self.weight, bias=self.bias, eps=self.eps)
        return y if batch is x else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """torch.nn.InstanceNorm1d: x [batch, num_features, length] -> the same shape.

    x: floating, with or without a batch. momentum: used in training only. Returns the shape and dtype of `x`.
    Weights: none by default; if affine, weight and (with bias) bias, with track_running_stats running_mean and
    running_var, each [num_features].
    Layer: that of `ops.instance_norm`; with track_running_stats that of `ops.batch_norm`.
    Raises LayerError for another rank, and for a single position.
    """

    rank = 3


class InstanceNorm2d(_InstanceNorm):
    """torch.nn.InstanceNorm2d: x [batch, num_features, height, width] -> the same shape.

    x: floating, with or without a batch. momentum: used in training only. Returns the shape and dtype of `x`.
    Weights: none by default; if affine, weight and (with bias) bias, with track_running_stats running_mean and
    running_var, each [num_features].
    Layer: that of `ops.instance_norm`; with track_running_stats that of `ops.batch_norm`.
    Raises LayerError for another rank, and for a single position.
    """

    rank = 4


class InstanceNorm3d(_InstanceNorm):
    """torch.nn.InstanceNorm3d: x [batch, num_features, depth, height, width] -> the same shape.

    x: floating, with or without a batch. momentum: used in training only. Returns the shape and dtype of `x`.
    Weights: none by default; if affine, weight and (with bias) bias, with track_running_stats running_mean and
    running_var, each [num_features].
    Layer: that of `ops.instance_norm`; with track_running_stats that of `ops.batch_norm`.
    Raises LayerError for another rank, and for a single position.
    """

    rank = 5


class LayerNorm(Module):
    """torch.nn.LayerNorm: x [..., *normalized_shape] -> the same shape.

    x: floating. Returns the shape and dtype of `x`.
    Weights: with elementwise_affine, weight and (with bias) bias, each of normalized_shape.
    Layer: that of `ops.layer_norm`.
    Raises ModelError for a normalized_shape that is not sizes; LayerError for an input whose last sizes differ.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.normalized_shape = shape_of("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = Parameter(*self.normalized_shape, dtype=kept(dtype)) if elementwise_affine else None
        self.bias = Parameter(*self.normalized_shape, dtype=kept(dtype)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class GroupNorm(Module):
    """torch.nn.GroupNorm: x [batch, num_channels, ...] -> the same shape.

    x: floating. Returns the shape and dtype of `x`.
    Weights: if affine, weight and (with bias) bias, each [num_channels].
    Layer: that of `ops.group_norm`.
    Raises ModelError for groups that do not divide the channels; LayerError for another number of channels.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
        bias: bool = True,
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            text = f"GroupNorm: num_groups={num_groups} does not divide num_channels={num_channels}"
            raise ModelError(here(text))
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = Parameter(num_channels, dtype=kept(dtype)) if affine else None
        self.bias = Parameter(num_channels, dtype=kept(dtype)) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    """torch.nn.RMSNorm: x [..., *normalized_shape] -> the same shape, rounded where Llama rounds.

    x: floating. eps: the machine epsilon of the dtype of `x` by default. Returns the shape and dtype of `x`.
    Weights: with elementwise_affine, weight of normalized_shape.
    Layer: that of `ops.rms_norm`.
    Raises ModelError for a normalized_shape that is not sizes; LayerError for an input whose last sizes differ.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.normalized_shape = shape_of("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = Parameter(*self.normalized_shape, dtype=kept(dtype)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.rms_norm(x, self.normalized_shape, self.weight, self.eps)
