"""What every test folder shares: the gpu mark, and a checkout that was not installed."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # before any NVIDIA library loads: see BuildConfig.tf32

import trtnet

if importlib.util.find_spec("trtnet.models") is None:
    trtnet.__path__.append(str(Path(__file__).parents[1]))  # models/ and weights/ stand beside trtnet/


def why_no_gpu() -> str:
    """Why engines do not run here; "" if they do."""
    from trtnet.errors import TrtnetError

    try:
        from comparing import network_of

        network = network_of(lambda x: x + 1, {"x": trtnet.Input((1, 2))})
        network.build().session()
    except TrtnetError as error:
        return str(error).splitlines()[0]
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = why_no_gpu() if marked else ""
    if reason:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"no GPU that this TensorRT runs on: {reason}"))
