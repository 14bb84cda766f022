"""`trtnet batch`: a model of the zoo over a folder of arrays, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from trtnet.cli.main import app
from trtnet.support.errors import InputError, ModelError
from trtnet.tools.targets.function import Function
from trtnet.tools.targets.networks import Choices

pytest.importorskip("pyarrow", reason="results are Parquet, which needs pyarrow: pip install 'trtnet[batch]'")
LENET = ["lenet", "--weights", "trtnet:lenet.safetensors"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("batch")
    (made / "in").mkdir()
    for index in range(2):
        images = np.random.default_rng(index).integers(0, 256, (3, 28, 28), np.uint8)
        np.savez(made / f"in/{index}.npz", image=images, id=np.arange(3) + 3 * index)
    return made


def run(folder: Path, *options: str) -> dict[str, float]:
    where = ["--in", str(folder / "in"), "--out", str(folder / "out"), "--workers", "0", "--json", "-"]
    result = CliRunner().invoke(app, ["batch", *LENET, *where, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, float] = json.loads(result.stdout)
    return found


def test_a_folder_of_arrays(folder: Path) -> None:
    from pyarrow import parquet

    options = ("--keep", "id", "--batch-size", "2", "--mean", "0.1", "--std", "0.5")
    done = run(folder, *options)
    assert (done["shards"], done["before"], done["rows"], done["errors"]) == (2, 0, 6, 0)
    assert run(folder, *options)["before"] == 2
    rows = [row for index in range(2) for row in parquet.read_table(folder / f"out/{index}.npz.parquet").to_pylist()]
    assert [row["id"] for row in rows] == list(range(6))
    images = np.concatenate([np.load(folder / f"in/{index}.npz")["image"] for index in range(2)])
    given = ((images[:, None].astype(np.float32) / 255 - 0.1) / 0.5).astype(np.float32)
    expected = Function("lenet", Choices("trtnet:lenet.safetensors")).open()(given)
    np.testing.assert_allclose([row["output"] for row in rows], expected, rtol=0, atol=1e-5)


def test_what_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="--errors is stop or record"):
        run(folder, "--errors", "ignore")
    with pytest.raises(InputError, match="another job"):
        run(folder)
    with pytest.raises(ModelError, match=r"--mean is written 0.485,0.456,0.406"):
        run(folder, "--mean", "gray")
    with pytest.raises(ModelError, match=r"lenet.engine is not a model, so it takes no --dim"):
        Function("lenet.engine", Choices(dims=["batch=2"]))


MODEL = """import trtnet

class Scaled(trtnet.nn.Module):
    inputs = {"image": trtnet.Input(("batch", 28, 28))}

    def forward(self, image):
        return image * 2

def make():
    return Scaled()
"""
PREPARE = "def f(row):\n    return {'image': row['image'] * 1.0}\n"


@pytest.mark.parametrize("file", ["scaled.py", "prepare.py"])
def test_results_of_changed_files_are_refused(folder: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "scaled.py").write_text(MODEL)
    (tmp_path / "prepare.py").write_text(PREPARE)
    command = ["batch", f"{tmp_path}/scaled.py:make", "--in", str(folder / "in"), "--out", str(tmp_path / "out")]
    options = ["--workers", "0", "--prepare", f"{tmp_path}/prepare.py:f"]
    for _ in range(2):
        result = CliRunner().invoke(app, [*command, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    with (tmp_path / file).open("ab") as opened:
        opened.write(b"\n")
    with pytest.raises(InputError) as raised:
        CliRunner().invoke(app, [*command, *options], catch_exceptions=False)
    assert f"{file} (" in str(raised.value) and " changed after results were written" in str(raised.value)
    assert "{" not in str(raised.value) and len(str(raised.value).replace(str(tmp_path), "")) < 160
    with pytest.raises(InputError, match=r"model.dtype was 'float32', now it is 'float16'"):
        CliRunner().invoke(app, [*command, *options, "--dtype", "float16"], catch_exceptions=False)


def test_a_checkpoint_of_another_time_is_another_model(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"one")
    function = Function("lenet", Choices(str(weights)))
    before = function.files
    assert before == function.files and function.identity == json.loads(json.dumps(function.identity))
    weights.write_bytes(b"three")
    assert function.files != before
