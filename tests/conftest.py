"""What every test folder shares: the gpu mark, and a checkout that was not installed."""

from __future__ import annotations

import faulthandler
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # before any NVIDIA library loads: see BuildConfig.tf32

import trtnet

if importlib.util.find_spec("trtnet.models") is None:
    trtnet.__path__.append(str(Path(__file__).parents[1]))  # models/ and weights/ stand beside trtnet/


_options: Any = None


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


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("trtnet", "runs on a GPU, where a driver may hang or end a process")
    group.addoption("--share", default="0/1", help="1/4 runs the second quarter of the tests")
    group.addoption("--once", type=Path, help="a file of tests not to run again; each is added when it starts")
    group.addoption("--hang", type=int, default=0, help="seconds after which a test ends the process")


def pytest_runtest_logstart(nodeid: str) -> None:
    if _options.once:
        with _options.once.open("a") as file:
            file.write(nodeid + "\n")
    if _options.hang:
        faulthandler.dump_traceback_later(_options.hang, exit=True)


def pytest_configure(config: pytest.Config) -> None:
    global _options
    _options = config.option


def _chosen(items: list[pytest.Item]) -> list[pytest.Item]:
    part, parts = (int(x) for x in _options.share.split("/"))
    done = set(_options.once.read_text().splitlines()) if _options.once and _options.once.exists() else set()
    return [item for item in items[part::parts] if item.nodeid not in done]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = _chosen(items)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = why_no_gpu() if marked else ""
    if reason:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"no GPU that this TensorRT runs on: {reason}"))
