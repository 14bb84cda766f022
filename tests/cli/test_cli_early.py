"""What is mistyped is an error at once: before TensorRT, torch or a model is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trtnet.cli.main import app
from trtnet.support.errors import InputError, PlanError
from trtnet.tools.draw.files.suffixes import SUFFIXES
from trtnet.tools.draw.files.writing import FORMATS

MISTYPED = {
    "draw lenet -o x.pdf": "a drawing is written as .html",
    "draw lenet -o none/x.html": "cannot write none/x.html",
    "draw lenet -o x.html --dim batch": "--dim is written batch=1:8:32",
    "inspect lenet --dtype flat16": "unknown dtype 'flat16'",
    "tune lenet --gpus x": "--gpus is written 0,1",
    "tune lenet --form gelu=layer": "omit --form",
    "bench lenet --against torch,compil": "--against takes torch, compile, onnx; found 'compil'",
    "bench lenet --export-times none/t.json": "cannot write none/t.json",
    "bench lenet --input image.npy": "--input is written image=photo.npy",
    "compare lenet lenet --range image=1": "--range is written input_ids=0:30000",
    "build lenet -o a.engine --weights lenett.npz": "cannot read the checkpoint lenett.npz: No such file or directory;"
    " did you mean lenet.npz?",
    "run lenet --save out.xyz": "out.xyz: a file of arrays is written as .npz or .json",
    "run lenet --save none/out.npz": "cannot write none/out.npz",
    "compare lenet lenet --html x.txt": "x.txt: a page is written as .html or .htm",
    "compare lenet lenet --save-inputs x.txt": "x.txt: a file of arrays is written as .npz or .json",
    "compare lenet lenet --junit x.html": "x.html: JUnit's report is written as .xml",
    "bisect lenet --html x.txt": "x.txt: a page is written as .html or .htm",
    "quantize lenet -o q.safetensors --html x.txt": "x.txt: a page is written as .html or .htm",
    "run lenet --arg x": "--arg is written num_classes=10",
}
SCRIPT = """
import sys
from trtnet.cli.main import app
from trtnet.support.errors import TrtnetError
for line in sys.argv[1:]:
    try:
        app(line.split(), standalone_mode=False)
    except TrtnetError as error:
        print(error)
print({"torch", "tensorrt", "tensorrt_rtx", "trtnet.graph", "trtnet.models"} & {*sys.modules})
"""


def test_a_mistyped_option_is_an_error_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "lenet.npz").touch()
    command = [sys.executable, "-c", SCRIPT, *MISTYPED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    *found, loaded = done.stdout.splitlines()
    assert len(found) == len(MISTYPED)
    assert [line for line, words in zip(found, MISTYPED.values(), strict=True) if words not in line] == []
    assert loaded == "set()"


def test_every_suffix_has_a_writer() -> None:
    assert tuple(FORMATS) == SUFFIXES


READ_AND_WRITTEN = {
    "build m.py:M --weights w.npz -o m.py": "m.py would replace what is read from m.py",
    "build m.py:M --weights w.npz -o ./w.npz": "w.npz would replace what is read from w.npz",
    "build m.py:M --weights w.npz -o e.engine --json w.npz": "w.npz would replace",
    "run m.py:M --input x=w.npz --save w.npz": "w.npz would replace",
    "compare a=m.py:M b=w.npz --save-inputs w.npz": "w.npz would replace",
    "compare torch:m.py:M --html r.html --json r.html": "r.html would be written twice",
    "weights ls w.npz --json w.npz": "w.npz would replace",
    "export polygraphy m.py:M -o m.py": "m.py would replace",
    "audit e.engine --json e.engine": "e.engine would replace",
    "refit e.engine --weights w.npz -o w.npz": "w.npz would replace",
}


def test_no_command_writes_over_what_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("m.py", "w.npz", "e.engine"):
        Path(name).write_text("mine")
    for line, words in READ_AND_WRITTEN.items():
        found = CliRunner().invoke(app, line.split())
        assert isinstance(found.exception, InputError) and words in str(found.exception), line
    assert {path.read_text() for path in tmp_path.iterdir()} == {"mine"}
    found = CliRunner().invoke(app, ["refit", "e.engine", "--weights", "w.npz", "-o", "e.engine"])
    assert isinstance(found.exception, PlanError)  # of an engine that is none
