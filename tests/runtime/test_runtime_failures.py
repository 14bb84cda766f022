"""What TensorRT refuses, what is dropped halfway, and contexts that begin without a profile; on a fake device."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from typing import Any

import numpy as np
import pytest
from helpers.gpu import raw
from helpers.runtime.engines import engine_of, x
from helpers.runtime.fakes import Opener

from trtnet.reference import Reference
from trtnet.runtime import Engine
from trtnet.support.backend import supports, trt
from trtnet.support.errors import InputError, PlanError, TrtnetError


@pytest.fixture
def doubling() -> tuple[Engine, Opener]:
    return engine_of(lambda x: x * 2 + 1, dims=[{"n": (1, 2, 4)}, {"n": (3, 8, 16)}])


@pytest.mark.parametrize(
    ("what", "error", "text"),
    [
        ("profile", TrtnetError, "TensorRT did not change to profile 1\n  TensorRT: no profile today"),
        ("shape", InputError, r"TensorRT refused the shape \[8, 3\] of input x\n  TensorRT: no shape today"),
        ("inference", InputError, "TensorRT cannot infer the outputs' shapes\n  TensorRT: no inference today"),
        ("allocator", TrtnetError, r"TensorRT took no allocator for output output \[n, 3\] float32"),
        ("address", TrtnetError, "TensorRT refused the address of x\n  TensorRT: no address today"),
        ("execution", TrtnetError, "TensorRT did not run the engine\n  TensorRT: no execution today"),
    ],
)
def test_refusals_are_errors_in_tensorrts_words(
    doubling: tuple[Engine, Opener], what: str, error: type[Exception], text: str
) -> None:
    engine, opener = doubling
    engine(x())
    opener.engine.refuses = what
    with pytest.raises(error, match=text):
        engine(x(8))
    opener.engine.refuses = ""
    for n in (2, 8, 16, 1):
        np.testing.assert_array_equal(engine(x(n)), x(n) * 2 + 1)
    assert len(opener.engine.contexts) == 1


def test_no_execution_context(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine(x())
    opener.engine.refuses = "context"
    opener.recorder.report_error(None, "out of memory")
    with pytest.raises(TrtnetError, match="TensorRT made no execution context\n  TensorRT: out of memory"):
        engine.session()


@pytest.mark.skipif(not supports("kernel_specialization"), reason="TensorRT specializes no kernels at run time")
def test_the_error_of_a_refused_context_keeps_no_configuration_alive() -> None:
    """TensorRT-RTX 1.4 crashed when the engine was destroyed before a configuration that a traceback still held."""
    engine, opener = engine_of(lambda x: x * 2 + 1, dims={"n": (1, 2, 4)}, dtype="float32")
    engine(x(1))
    opener.engine.refuses = "context"
    with pytest.raises(TrtnetError, match="TensorRT made no execution context") as caught:
        engine.session()
    configuration = weakref.ref(opener.engine.config)
    opener.engine.config = None
    holders = {type(holder).__name__ for holder in gc.get_referrers(configuration())}
    assert caught.value and holders <= {"Context", "dict"}


def test_another_tf32_override_than_at_the_build(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine(x())
    opener.engine.refuses = "context"
    opener.recorder.report_error(None, "Inconsistent setting of NVIDIA_TF32_OVERRIDE env var at build -1")
    with pytest.raises(TrtnetError, match="set NVIDIA_TF32_OVERRIDE as it was where the engine was built"):
        engine.session()


@pytest.mark.skipif(not supports("kernel_specialization"), reason="TensorRT specializes no kernels at run time")
@pytest.mark.parametrize(
    ("dtype", "dims", "specializes"),
    [("float32", (1, 2, 4), False), ("float32", 4, True), ("float16", (1, 2, 4), True)],
)
def test_no_kernels_for_the_shapes_seen_of_a_dynamic_float32_network(dtype: str, dims: Any, specializes: bool) -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1, dims={"n": dims}, dtype=dtype)
    engine.session(cuda_graph=False)
    strategies = trt.DynamicShapesKernelSpecializationStrategy
    expected = strategies.LAZY if specializes else strategies.NONE
    assert opener.engine.config.dynamic_shapes_kernel_specialization_strategy == expected


@pytest.mark.skipif(not supports("kernel_specialization"), reason="TensorRT specializes no kernels at run time")
@pytest.mark.parametrize(
    ("dtype", "dims", "specialize", "warns"),
    [
        ("float16", (1, 2, 4), False, True),
        ("float16", (1, 2, 4), None, False),
        ("float16", 4, False, False),
        ("float32", (1, 2, 4), False, False),
        ({"": "float32", "a": "float16"}, (1, 2, 4), None, True),
        ({"": "float32", "a": "float16"}, (1, 2, 4), True, False),
    ],
)
def test_general_kernels_for_16_bit_modules_are_warned_of(
    dtype: Any, dims: Any, specialize: bool | None, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    dtypes = dtype if isinstance(dtype, dict) else {"": dtype}
    made, opener = engine_of(lambda x: x * 2 + 1, dims={"n": dims}, dtype="float16")
    info = dataclasses.replace(made.info, dtype=dtypes[""], dtypes=dtypes)
    engine = Engine(dataclasses.replace(made.plan, info=info), opener)
    engine.specialize = specialize
    engine.session()
    assert ("add some shortcuts wrong" in caplog.text) == warns


@pytest.mark.skipif(not supports("kernel_specialization"), reason="TensorRT specializes no kernels at run time")
def test_a_caller_may_allow_what_trtnet_would_not() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    engine.specialize = True
    engine.session(cuda_graph=False)
    lazy = trt.DynamicShapesKernelSpecializationStrategy.LAZY
    assert opener.engine.config.dynamic_shapes_kernel_specialization_strategy == lazy


@pytest.mark.skipif(not supports("kernel_specialization"), reason="TensorRT specializes no kernels at run time")
def test_a_graph_is_captured_with_kernels_that_are_compiled_already() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1, dtype="float16")
    engine.session()
    eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    assert opener.engine.config.dynamic_shapes_kernel_specialization_strategy == eager


@pytest.mark.skipif(not supports("kernel_specialization"), reason="TensorRT specializes no kernels at run time")
def test_a_context_goes_before_its_configuration_and_both_before_the_engine() -> None:
    engine, opener = engine_of(lambda x: x * 2 + 1)
    session = engine.session()
    gone: list[str] = []
    for name, part in (
        ("engine", opener.engine),
        ("config", opener.engine.config),
        ("context", opener.engine.contexts[0]),
    ):
        weakref.finalize(part, gone.append, name)
    opener.engine.contexts.clear()
    opener.engine.config = None
    del engine, opener, part
    gc.collect()
    assert gone == []
    del session
    gc.collect()
    assert gone == ["context", "config", "engine"]


def test_inputs_in_host_memory_are_refused(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine(x())
    opener.engine.host = {"x"}
    with pytest.raises(PlanError, match=r"x \[n, 3\] float32 is a shape input, in host memory"):
        engine.session()


def test_the_words_of_one_call_are_not_in_the_error_of_another(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine(x())
    opener.engine.contexts[0].error_recorder.report_error(None, "long ago")
    opener.engine.refuses = "execution"
    with pytest.raises(TrtnetError) as caught:
        engine(x())
    assert "long ago" not in str(caught.value)


def test_contexts_that_begin_without_a_profile_are_given_one(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    sessions = [engine.session() for _ in range(2)]
    opener.engine.later_profile = -1
    sessions.append(engine.session())
    for session in sessions:
        np.testing.assert_array_equal(session(x()), x() * 2 + 1)
    assert opener.engine.contexts[-1].profiles == [-1, 0]


def test_shapes_are_told_once(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.cuda_graph = False
    for n in (2, 2, 2, 3, 3):
        engine(x(n))
    assert (opener.engine.contexts[0].inferences, opener.engine.contexts[0].executions) == (2, 5)


def test_shapes_are_told_again_after_a_refusal(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine(x(2))
    opener.engine.refuses = "inference"
    with pytest.raises(InputError):
        engine(x(4))
    opener.engine.refuses = ""
    np.testing.assert_array_equal(engine(x(2)), x(2) * 2 + 1)


def test_a_dropped_pending_is_waited_for_before_its_buffers_are_used_again(doubling: tuple[Engine, Opener]) -> None:
    engine, _ = doubling
    session = engine.session()
    for i in range(3):
        session.submit(x(8) * i)
    np.testing.assert_array_equal(session(x(16)), x(16) * 2 + 1)


def test_a_session_dropped_at_work_is_waited_for(doubling: tuple[Engine, Opener]) -> None:
    engine, opener = doubling
    engine.submit(x())
    gc.collect()
    assert all(stream.done == len(stream.work) for stream in opener.device.streams.values())
    assert not opener.device.memory, "buffers outlive their session"


def test_an_empty_output() -> None:
    builder, network = raw.network(raw.no_columns, "float32")
    opener = Opener(Reference(network))
    engine = Engine(raw.plan(builder, network, "float32", (1, 2, 8)), opener)
    given = np.ones((2, raw.COLUMNS), np.float32)
    assert engine(given).shape == (2, 0)
    assert engine(opener.torch.tensor(given)).shape == (2, 0)


def test_byte_order_is_numpys_own_matter(doubling: tuple[Engine, Opener]) -> None:
    swapped = x().astype(x().dtype.newbyteorder())
    np.testing.assert_array_equal(doubling[0](swapped), x() * 2 + 1)
