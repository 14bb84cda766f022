"""What TensorRT says of the causes that `trtnet doctor --explain` knows, provoked by its own calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trtnet.support.backend import name, trt
from trtnet.support.diagnostics import ErrorRecorder, logger
from trtnet.tools.explain import explain

RTX = pytest.mark.skipif(name() != "tensorrt_rtx", reason="the words are TensorRT-RTX's")


class Trial:
    """A network of TensorRT's own calls, and the words it has for them."""

    def __init__(self) -> None:
        self.recorder = ErrorRecorder()
        self.builder = trt.Builder(logger)
        self.network = self.builder.create_network(0)
        for one in (self.builder, self.network):
            one.error_recorder = self.recorder
        self.x = self.network.add_input("x", trt.float32, (1, 3, 8, 8))

    def words(self) -> str:
        return "\n".join(self.recorder.take())

    def shape(self, layer: Any) -> None:
        try:
            tuple(layer.get_output(0).shape)
        except (RuntimeError, ValueError) as error:
            self.recorder.report_error(trt.ErrorCodeTRT.INVALID_ARGUMENT, str(error))

    def build(self, *profiles: Any) -> None:
        config = self.builder.create_builder_config()
        for profile in profiles:
            config.add_optimization_profile(profile)
        self.builder.build_serialized_network(self.network, config)


def _kernel(trial: Trial) -> None:
    kernel = np.ones((4, 4, 3, 3), np.float32)
    trial.shape(trial.network.add_convolution_nd(trial.x, 4, (3, 3), kernel))


def _half_kernel(trial: Trial) -> None:
    trial.shape(trial.network.add_convolution_nd(trial.x, 4, (3, 3), np.ones((4, 3, 3, 3), np.float16)))


def _sum(dtype: Any, *shape: int) -> Callable[[Trial], None]:
    def make(trial: Trial) -> None:
        y = trial.network.add_input("y", dtype, shape)
        trial.shape(trial.network.add_elementwise(trial.x, y, trt.ElementWiseOperation.SUM))

    return make


def _reshape(trial: Trial) -> None:
    layer = trial.network.add_shuffle(trial.x)
    layer.reshape_dims = (1, 3, 65)
    trial.shape(layer)


def _product(trial: Trial) -> None:
    y = trial.network.add_input("y", trt.float32, (1, 3, 3, 8))
    none = trt.MatrixOperation.NONE
    trial.shape(trial.network.add_matrix_multiply(trial.x, none, y, none))


def _bytes(trial: Trial) -> None:
    trial.shape(trial.network.add_constant((2,), np.zeros(2, np.uint8)))


def _not_run(trial: Trial) -> None:
    trial.network.mark_output(trial.network.add_non_zero(trial.x).get_output(0))
    trial.build()


def _load(data: bytes) -> Callable[[Trial], None]:
    def make(trial: Trial) -> None:
        runtime = trt.Runtime(logger)
        runtime.error_recorder = trial.recorder
        assert runtime.deserialize_cuda_engine(data) is None

    return make


def _lean(trial: Trial) -> None:
    trial.network.mark_output(trial.network.add_identity(trial.x).get_output(0))
    config = trial.builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    trial.builder.build_serialized_network(trial.network, config)


def _twice(trial: Trial) -> None:
    assert trial.network.add_input("x", trt.float32, (1,)) is None


def _no_output(trial: Trial) -> None:
    trial.build()


def _no_profile(trial: Trial) -> None:
    y = trial.network.add_input("y", trt.float32, (-1, 3))
    trial.network.mark_output(trial.network.add_identity(y).get_output(0))
    trial.build()


def _profile(trial: Trial, *sizes: tuple[int, ...]) -> Any:
    y = trial.network.add_input("y", trt.float32, (-1, 3))
    trial.network.mark_output(trial.network.add_identity(y).get_output(0))
    profile = trial.builder.create_optimization_profile()
    profile.set_shape("y", *sizes)
    return profile


def _crossed_profile(trial: Trial) -> None:
    trial.build(_profile(trial, (8, 3), (4, 3), (2, 3)))


def _contradicting_profile(trial: Trial) -> None:
    trial.build(_profile(trial, (1, 4), (1, 4), (2, 4)))


def _top_k(trial: Trial) -> None:
    y = trial.network.add_input("y", trt.float32, (1, 9000))
    layer = trial.network.add_topk(y, trt.TopKOperation.MAX, 4000, 2)
    if layer is not None:
        trial.shape(layer)


def _quantized(trial: Trial, dtype: Any) -> Any:
    """A quantize layer, its dequantized output marked."""
    scale = trial.network.add_constant((), np.array(0.5, np.float32)).get_output(0)
    layer = trial.network.add_quantize(trial.x, scale, dtype)
    trial.network.mark_output(trial.network.add_dequantize(layer.get_output(0), scale, trt.float32).get_output(0))
    return layer


def _zero_point(trial: Trial) -> None:
    layer = _quantized(trial, trt.int8)
    layer.set_input(2, trial.network.add_constant((), np.array(3, np.int8)).get_output(0))
    trial.build()


def _old_target(trial: Trial) -> None:
    _quantized(trial, trt.fp8)
    config = trial.builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    trial.builder.build_serialized_network(trial.network, config)


class Refusing(trt.IProgressMonitor):
    """Cancels the build at its first step."""

    def __init__(self) -> None:
        super().__init__()

    def phase_start(self, *_: Any) -> None:
        pass

    def phase_finish(self, *_: Any) -> None:
        pass

    def step_complete(self, *_: Any) -> bool:
        return False


def _cancelled(trial: Trial) -> None:
    trial.network.mark_output(trial.network.add_softmax(trial.x).get_output(0))
    config, monitor = trial.builder.create_builder_config(), Refusing()
    config.progress_monitor = monitor
    trial.builder.build_serialized_network(trial.network, config)


CAUSES: dict[str, Callable[[Trial], None]] = {
    "A kernel does not fit the channels": _kernel,
    "A kernel has another dtype than the input": _half_kernel,
    "Shapes do not broadcast": _sum(trt.float32, 1, 2, 8, 8),
    "Ranks of an elementwise operation differ": _sum(trt.float32, 8, 8),
    "Dtypes of an elementwise operation differ": _sum(trt.float16, 1, 3, 8, 8),
    "A zero point that is not zero": _zero_point,
    "A dtype that a target does not have": _old_target,
    "The build was cancelled": _cancelled,
    "A reshape changes the number of elements": _reshape,
    "A matrix product's inner sizes differ": _product,
    "Two inputs of one name": _twice,
    "The network has no output": _no_output,
    "A dynamic network without an optimization profile": _no_profile,
    "A profile whose sizes are not min <= opt <= max": _crossed_profile,
    "A profile contradicts a fixed axis": _contradicting_profile,
    "A top-k of more than 3840": _top_k,
    "A constant of a dtype that TensorRT does not have": _bytes,
    "A layer that TensorRT-RTX does not run": _not_run,
    "The lean runtime is not found": _lean,
    "The file is not a plan of this TensorRT": _load(b"ptrt" + bytes(1000)),
    "The plan is cut": _load(b"vtrt"),
}


@RTX
@pytest.mark.parametrize("title", CAUSES)
def test_tensorrts_own_words_are_explained(title: str) -> None:
    trial = Trial()
    CAUSES[title](trial)
    words = trial.words()
    assert title in [one.title for one in explain(words)], words


def test_no_plan_at_all() -> None:
    with pytest.raises(TypeError) as error:
        trt.Runtime(logger).deserialize_cuda_engine(None)
    assert "The engine was not built" in [one.title for one in explain(f"TypeError: {error.value}")]
