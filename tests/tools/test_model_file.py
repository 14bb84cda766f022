"""A model file imports its neighbours, as a script does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from trtnet.support.errors import ModelError
from trtnet.tools.targets.model_file import factory_in

NET = """
from common import WIDTH
from trtnet import nn
from trtnet.graph import Input

class Net(nn.Module):
    inputs = {"x": Input((2, WIDTH))}
    def forward(self, x):
        import late
        return x * late.FACTOR

def net():
    return Net()
"""


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the test's own modules; numpy and trtnet stay, which a process loads once."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, width: int) -> str:
    folder.mkdir()
    (folder / "common.py").write_text(f"WIDTH = {width}\n")
    (folder / "late.py").write_text(f"FACTOR = {width}\n")
    (folder / "net.py").write_text(NET)
    return f"{folder / 'net.py'}:net"


def test_neighbours_of_the_same_name_in_two_folders(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", 3), write(tmp_path / "other", 5)
    assert factory_in(one)().inputs["x"].shape == (2, 3)
    assert sys.modules["common"].WIDTH == 3
    assert factory_in(other)().inputs["x"].shape == (2, 5)
    assert sys.modules["common"].WIDTH == 5
    assert str(tmp_path / "one") not in sys.path


def test_a_neighbour_that_is_imported_in_forward(tmp_path: Path) -> None:
    import numpy as np

    import trtnet

    network = trtnet.define(factory_in(write(tmp_path / "one", 3))())
    np.testing.assert_array_equal(network.reference()(np.ones((2, 3), np.float32)), np.full((2, 3), 3, np.float32))


def test_a_module_that_is_nowhere(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from comon import WIDTH\n")
    text = r"net.py does not load: there is no module 'comon', neither installed nor in .*\n.*net.py:1"
    with pytest.raises(ModelError, match=text):
        factory_in(f"{tmp_path / 'net.py'}:net")


def test_what_was_loaded_before_stays(tmp_path: Path) -> None:
    one = write(tmp_path / "one", 3)
    sys.path.insert(0, str(tmp_path / "one"))
    import common

    sys.path.pop(0)
    factory_in(one)
    factory_in(write(tmp_path / "other", 5))
    assert sys.modules["common"] is common  # the caller's own, not the file's


def test_a_checkouts_own_modules_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = write(tmp_path / "one", 3), write(tmp_path / "other", 5)
    factory_in(one)
    own = ModuleType("trtnet.late")
    own.__file__ = str(tmp_path / "one" / "trtnet" / "late.py")  # as if the model stood where trtnet was checked out
    monkeypatch.setitem(sys.modules, "trtnet.late", own)
    factory_in(other)
    assert sys.modules["trtnet.late"] is own and sys.modules["common"].WIDTH == 5
