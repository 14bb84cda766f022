"""Netron opens what `trtnet draw -o x.json` and `-o x.dot` write."""

from __future__ import annotations

from pathlib import Path

import drawings
import pytest

from trtnet.tools.draw import writing
from trtnet.tools.draw.drawing import Drawing
from trtnet.tools.draw.writing import lay_out


@pytest.fixture
def shown(tab, tmp_path: Path):
    netron = pytest.importorskip("netron", reason="Netron is not installed")

    def show(drawing: Drawing, name: str) -> list[str]:
        """Opens a drawing's file in Netron; the texts of its nodes."""
        path = tmp_path / name
        writing.write(lay_out(drawing), path)
        host, port = netron.start(str(path), browse=False)
        try:
            tab.page.goto(f"http://{host}:{port}/")
            tab.page.wait_for_selector("#canvas .node", timeout=20_000)
            return tab.page.locator("#canvas .node").all_text_contents()
        finally:
            netron.stop((host, port))

    return show


def test_a_network_as_onnx(shown, tab) -> None:
    nodes = " ".join(shown(drawings.lenet(), "lenet.json"))
    for operator in ("Conv", "Relu", "MaxPool", "Reshape", "MatMul", "Add"):
        assert operator in nodes
    assert "batch" in tab.page.locator("#canvas").inner_html()


def test_names_that_would_be_markup(shown, tab) -> None:
    assert any(drawings.HOSTILE[:20] in node for node in shown(drawings.hostile(), "hostile.json"))


def test_a_network_as_dot(shown) -> None:
    assert any("Conv 5×5" in node for node in shown(drawings.lenet(), "lenet.dot"))
