"""The backend: found, chosen, and missing with advice; and every TensorRT name it speaks of."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from trtnet.support import backend, dtypes
from trtnet.support.diagnostics import ErrorRecorder, clean


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


HIDE = "import importlib.util as u; u.find_spec = lambda name: None;"


def test_it_names_itself() -> None:
    assert backend.name() in backend.BACKENDS
    assert backend.version()[0].isdigit()
    assert backend.supports("strongly_typed_flag")
    with pytest.raises(KeyError):
        backend.supports("telepathy")


def test_no_backend_is_an_error_that_names_the_commands() -> None:
    result = python(f"import os; os.environ.pop('TRTNET_BACKEND', None); {HIDE} from trtnet.support.backend import trt")
    last = result.stderr[result.stderr.index("trtnet.BackendError") :]
    assert "no TensorRT is installed" in last
    assert "pip install 'trtnet[rtx]'" in last and "pip install 'trtnet[tensorrt]'" in last


def test_an_unknown_backend_is_refused() -> None:
    result = python("from trtnet.support.backend import trt", TRTNET_BACKEND="tensorflow")
    assert "TRTNET_BACKEND is 'tensorflow'; it must be one of tensorrt, tensorrt_rtx" in result.stderr


def test_import_of_trtnet_needs_no_backend_and_no_torch() -> None:
    loaded = "print([name for name in ('torch', 'tensorrt_rtx') if name in sys.modules])"
    program = f"{HIDE} import sys, trtnet, trtnet.checkpoint; {loaded}"
    assert python(program).stdout.strip() == "[]"


def test_defining_and_building_need_no_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np, trtnet\n"
        "from trtnet.models import lenet\n"
        "w = {k: np.ones(p.shape, np.float32) for k, p in lenet().named_parameters()}\n"
        "network = trtnet.define(lenet(), weights=w)\n"
        "print(len(network.build({'batch': 1}).plan.data) > 0)\n"
        "try: network.reference()\n"
        "except trtnet.support.errors.DependencyError as error: print(error)\n"
    )
    result = python(program)
    assert result.stdout.splitlines() == ["True", "the reference executor needs torch: pip install 'trtnet[torch]'"], (
        result.stderr
    )


@pytest.mark.parametrize("dtype", dtypes.TABLE, ids=str)
def test_dtypes_are_found_by_any_spelling(dtype: dtypes.DType) -> None:
    import torch

    spellings: list[Any] = [dtype, dtype.name, dtype.numpy, dtype.numpy.type]
    spellings += [getattr(torch, dtype.name)] if hasattr(torch, dtype.name) else []
    spellings += [dtype.trt] if dtype.trt_name else []
    assert {dtypes.get(spelling) for spelling in spellings} == {dtype}


def test_an_unknown_dtype_is_named() -> None:
    with pytest.raises(TypeError, match="unknown dtype 'complex64'"):
        dtypes.get("complex64")
    with pytest.raises(TypeError, match=r"unknown dtype \{\}"):
        dtypes.get({})  # which has no hash


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Error Code: 3: conv:kernel weights has count 1", "conv:kernel weights has count 1"),
        (
            "ITensor::getDimensions: Error Code 4: API Usage Error (x: bad In check at /_src/a/b.h:461)",
            "x: bad",
        ),
    ],
)
def test_tensorrts_words_are_cleaned(text: str, cleaned: str) -> None:
    assert clean(text).startswith(cleaned)
    assert "/_src/" not in clean(text)


def test_the_recorder_gives_each_error_once() -> None:
    from trtnet.support.backend import trt

    recorder = ErrorRecorder()
    for text in ("first", "second", "first", "cudaError 35: CUDA driver version is insufficient"):
        recorder.report_error(trt.ErrorCodeTRT.INTERNAL_ERROR, text)
    assert recorder.num_errors() == 4
    assert recorder.take() == ["first", "second"]
    assert recorder.num_errors() == 0
