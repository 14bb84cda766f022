"""Netron opens what `trtnet draw -o x.json` and `-o x.dot` write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.tools import drawings

from trtnet.tools.draw.drawing import Drawing
from trtnet.tools.draw.files import writing
from trtnet.tools.draw.files.writing import lay_out


@pytest.fixture
def page(browser) -> Iterator:
    page = browser.new_page()
    page.route("https://**", lambda route: route.abort())  # Netron asks where it is, for its question about cookies
    browser.add_cookies([{"name": "consent", "value": "1", "url": "http://localhost"}])
    yield page
    page.close()


@pytest.fixture
def show(page, tmp_path: Path) -> Iterator[Callable[[Drawing, str], None]]:
    """Opens a drawing's file in Netron. Its page refuses evaluation, so tests wait for elements and nothing else."""
    netron = pytest.importorskip("netron", reason="Netron is not installed")
    served = []

    def show(drawing: Drawing, name: str) -> None:
        writing.write(lay_out(drawing), tmp_path / name)
        served.append(netron.start(str(tmp_path / name), browse=False))
        page.goto("http://{}:{}/".format(*served[0]))

    yield show
    netron.stop(served[0])


def test_a_network_as_onnx(show, page) -> None:
    show(drawings.lenet(), "lenet.json")
    for operator in ("Conv", "Relu", "MaxPool", "Reshape", "MatMul", "Add"):
        page.wait_for_selector(f".node-item-type >> text={operator}", timeout=20_000)
    page.wait_for_selector("text=/batch.6.14.14/")
    page.locator(".node-item-type >> text=Conv").first.click()
    page.wait_for_selector("text=models/lenet.py:31")


def test_names_that_would_be_markup(show, page) -> None:
    show(drawings.hostile(), "hostile.json")
    page.wait_for_selector(".node-item-type", timeout=20_000)
    assert page.wait_for_selector("img[src=x]", state="detached") is None


def test_dot_is_read(show, page) -> None:
    """Netron shows a DOT file's node names, which are n0, n1, ..."""
    show(drawings.lenet(), "lenet.dot")
    page.wait_for_selector(f".node >> text=n{len(drawings.lenet().layers) - 1}", timeout=20_000)
