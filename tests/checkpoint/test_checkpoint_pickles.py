"""Weights out of pickles with foreign objects: read as data, never executed, nothing imported."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint import fuzz_pickles
from helpers.checkpoint import pickle_corpus

import trtnet
from trtnet import nn
from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.formats.pickled_file import open_pickled
from trtnet.support.errors import CheckpointError

with pytest.warns(Warning):
    CORPUS = pickle_corpus.corpus()


def as_array(value: Any) -> np.ndarray[Any, Any]:
    return open_checkpoint({"x": value})["x"]


@pytest.mark.parametrize("name", CORPUS)
def test_the_weights_are_read(name: str, tmp_path: Path) -> None:
    content, wanted = CORPUS[name]
    (tmp_path / "x.pt").write_bytes(content)
    before = set(sys.modules)
    with open_checkpoint(tmp_path / "x.pt") as found:
        read = {key: found[key] for key in found if found.listed(key).readable}
    assert not (set(sys.modules) - before) & {*pickle_corpus.MODULES, "antigravity"}
    assert list(read) == list(wanted)
    for key, value in wanted.items():
        whole = as_array(value)
        assert (read[key].shape, read[key].dtype, read[key].tobytes()) == (whole.shape, whole.dtype, whole.tobytes())


@pytest.mark.parametrize("name", CORPUS)
def test_our_reader_agrees_with_torchs(name: str, tmp_path: Path) -> None:
    content, wanted = CORPUS[name]
    (tmp_path / "x").write_bytes(content)
    with open_pickled(tmp_path / "x", content.startswith(b"PK")) as found:
        assert [key for key in found if found.listed(key).readable] == list(wanted)


TRAPS = pickle_corpus.traps("/nowhere/to/be/made")


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_not_sprung(name: str, tmp_path: Path) -> None:
    path, trace = tmp_path / "x.pt", tmp_path / "trace"
    path.write_bytes(pickle_corpus.traps(str(trace))[name])
    before, start = set(sys.modules), time.process_time()
    with contextlib.suppress(CheckpointError):
        dict(open_checkpoint(path))
    with contextlib.suppress(CheckpointError):
        dict(open_pickled(path, zipped=False))
    assert set(sys.modules) == before and not trace.exists()
    assert time.process_time() - start < 20


WATCHED = """
import sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {folder!r})
from helpers.checkpoint import pickle_corpus
from trtnet.checkpoint.formats.pickled_file import open_pickled
from trtnet.support.errors import CheckpointError
from pathlib import Path

files = sorted(Path({files!r}).iterdir())
seen, done = [], []
def read(path):
    try:
        dict(open_pickled(path, path.read_bytes().startswith(b"PK")))
    except CheckpointError:
        pass

read(files[0])
ALLOWED = ("open", "object.", "mmap.", "sys._getframe", "code.", "array.")
def watch(event, arguments):
    if not done and not event.startswith(ALLOWED):
        seen.append((event, arguments))

sys.addaudithook(watch)
for path in files:
    read(path)
done.append(1)
events = [event for event in seen if event[0] in ("import", "exec", "compile", "pickle.find_class", "marshal.loads")
          or event[0].startswith(("os.", "subprocess.", "socket.", "shutil.", "ctypes.")) and event[0] != "os.listdir"]
assert not events, events[:5]
"""


def test_nothing_is_imported_or_executed(tmp_path: Path) -> None:
    """A process in which every import, execution and call of the operating system is noted."""
    files = tmp_path / "files"
    files.mkdir()
    contents = [content for content, _ in CORPUS.values()] + list(pickle_corpus.traps(str(tmp_path / "t")).values())
    for number, content in enumerate(contents):
        (files / f"{number:03}.pt").write_bytes(content)
    script = WATCHED.format(folder=str(Path(__file__).parents[1]), files=str(files))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "t").exists()


def test_fuzzed_pickles() -> None:
    outcomes = fuzz_pickles.run(cases=2000, seed=0)
    assert outcomes["read"] and outcomes["refused"] and set(outcomes) <= {"read", "refused"}


def test_a_module_file_defines_a_network(tmp_path: Path) -> None:
    original = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    torch.save({"model": original, "best": np.float64(1), "optimizer": None}, tmp_path / "best.pt")
    network = trtnet.define(
        nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), {"x": trtnet.Input((2, 3))}, tmp_path / "best.pt"
    )
    x = torch.randn(2, 3)
    np.testing.assert_allclose(network.reference()(x), original(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_what_holds_no_weights_says_what_it_holds(tmp_path: Path) -> None:
    with pickle_corpus.away_from_home():
        torch.save({"a": torch.ones(2), "config": pickle_corpus.Slotted()}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"config is an object of somebody_config.Slotted, not") as caught:
        open_checkpoint(tmp_path / "x.pth")
    assert "nothing of it was executed" in str(caught.value)


def test_a_damaged_storage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"model": {"w": torch.arange(1000.0)}, "n": np.float64(1)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(500.0, 504.0).numpy().tobytes())] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="w cannot be read: Bad CRC-32"):
        open_checkpoint(path)["w"]


def test_an_old_file_that_is_cut_short(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pt"
    torch.save({"w": torch.zeros(0)}, empty, _use_new_zipfile_serialization=False)
    for content in (CORPUS["an old training file"][0], empty.read_bytes()):
        for keep in (len(content) // 3, *range(len(content) - 9, len(content))):
            (tmp_path / "x.pt").write_bytes(content[:keep])
            with pytest.raises(CheckpointError):
                open_checkpoint(tmp_path / "x.pt")
