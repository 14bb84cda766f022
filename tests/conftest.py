"""What every test folder shares: the gpu mark, and a checkout that was not installed."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # before any NVIDIA library loads: see BuildConfig.tf32
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process of tests a core: torch's threads would wait for each other

import helpers.checkout  # noqa: F401
import torch


@pytest.fixture(autouse=True)
def _the_same_random_numbers() -> None:
    """A test draws the same ones whichever were run before it in its process: what passed once passes again."""
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)
    torch.default_generator.manual_seed(0)  # torch.manual_seed keeps a stack for each GPU that might come: 1 ms a test


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Programs that a test runs in this process (the search, ONNX's cases) silence logging: not for the tests after."""
    level = logging.root.manager.disable
    yield
    logging.disable(level)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("trtnet", "runs on a GPU, where a driver may hang or end a process")
    group.addoption("--share", default="0/1", help="1/4 runs the second quarter of the tests")
    group.addoption("--once", type=Path, help="a file of tests not to run again; each is added when it starts")
    group.addoption("--hang", type=int, default=0, help="seconds after which a test ends the process")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    options = item.config.option
    if options.once:
        with options.once.open("a") as file:
            file.write(item.nodeid + "\n")
    if options.hang:
        faulthandler.dump_traceback_later(options.hang, exit=True)


def pytest_collection_finish() -> None:
    """What was imported and collected by now stays: a test that collects garbage need not look through it, for 1 s."""
    gc.collect()
    gc.freeze()


def _chosen(items: list[pytest.Item], options: argparse.Namespace) -> list[pytest.Item]:
    part, parts = (int(x) for x in options.share.split("/"))
    done = set(options.once.read_text().splitlines()) if options.once and options.once.exists() else set()
    return [item for item in items[part::parts] if item.nodeid not in done]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = _chosen(items, config.option)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    from helpers.gpus import why_no_gpu

    reason = why_no_gpu()
    if reason:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"no GPU that this TensorRT runs on: {reason}"))
