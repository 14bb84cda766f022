"""The commands on checkpoints, as a user types them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.cli import command
from helpers.cli.command import Done
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.base import raw_bytes
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.cli.main import app
from trtnet.weights import detect

QUANTIZED = Path(__file__).parents[1] / "data" / "quantized"


def trtnet(*arguments: object, code: int = 0) -> Done:
    result = command.trtnet(*arguments, folder=Path())
    assert result.returncode == code, result.stdout + result.stderr
    return result


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    tensors = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.ones(2, np.float16)}
    save_file(tensors, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_ls(weights: Path) -> None:
    shown = trtnet("weights", "ls", weights).stdout
    assert "a.weight" in shown and "2x3" in shown and "2 tensors, 8 elements, 28 bytes" in " ".join(shown.split())
    listed = json.loads(trtnet("weights", "ls", weights, "--filter", "bias$", "--json", "-").stdout)
    assert listed == {
        "tensors": [{"key": "a.bias", "shape": [2], "dtype": "float16", "bytes": 4, "readable": True}],
        "bytes": 4,
    }
    assert "is not a regular expression" in trtnet("weights", "ls", weights, "--filter", "[", code=2).stderr
    assert "No such file" in trtnet("weights", "ls", weights.with_name("none.pth"), code=2).stderr


def test_quantized_weights_are_named_and_dequantized(tmp_path: Path) -> None:
    folder = QUANTIZED / "gptq"
    words = "GPTQ: 1 of int4, a scale a block of 32, with zero points"
    assert f"quantized: {words}" in " ".join(trtnet("weights", "ls", folder).stdout.split())
    assert json.loads(trtnet("weights", "ls", folder, "--json", "-").stdout)["quantization"] == words
    out = tmp_path / "floats.safetensors"
    shown = trtnet("convert", folder, out, "--dequantize").stdout
    assert "up.weight" in shown and shown.endswith(f"\nwrote {out}\n")
    wanted = load_file(folder / "expected.safetensors")
    assert {*load_file(out)} == {*wanted}
    np.testing.assert_array_equal(load_file(out)["up.weight"], wanted["up.weight"], strict=True)
    trtnet("convert", folder, out, "--dequantize", "--dtype", "bfloat16")
    assert open_checkpoint(out).info("up.weight").dtype == "bfloat16"
    assert "no quantized weights" in trtnet("convert", out, tmp_path / "b.safetensors", "--dequantize", code=2).stderr
    assert not (tmp_path / "b.safetensors").exists()


@pytest.mark.parametrize("name", sorted(each.name for each in QUANTIZED.iterdir()))
def test_every_quantized_format_becomes_a_file_of_floats(name: str, tmp_path: Path) -> None:
    folder, out = QUANTIZED / name, tmp_path / "floats.safetensors"
    source = folder / "model.gguf" if (folder / "model.gguf").exists() else folder
    done = CliRunner().invoke(app, ["convert", str(source), str(out), "--dequantize"])
    assert done.exit_code == 0, done.output
    assert quantization_of(out) is None and detect(out).quantization is None
    ours, theirs = open_checkpoint(out), open_checkpoint(folder / "expected.safetensors")
    assert {key: ours.info(key) for key in ours} == {key: theirs.info(key) for key in theirs}
    for key in theirs:
        weight = ours[key] + np.float32(0) if name == "modelopt_nvfp4" else ours[key]  # it reads -0 as 0
        assert raw_bytes(weight) == raw_bytes(theirs[key]), key


def test_a_model_of_a_quantized_checkpoint_is_built_and_run(tmp_path: Path) -> None:
    folder = QUANTIZED / "gptq"
    model = tmp_path / "model.py"
    model.write_text(
        "import trtnet\nfrom trtnet import nn\nclass Model(nn.Module):\n    inputs = {'x': trtnet.Input((2, 128))}\n"
        "    def __init__(self):\n        self.up = nn.Linear(128, 32, bias=False)\n        self.norm = nn.RMSNorm(4)\n"
        "    def forward(self, x):\n        return self.norm(self.up(x).reshape(16, 4))\n"
    )
    given = (f"{model}:Model", "--weights", folder, "--quantization", "checkpoint")
    engine = tmp_path / "model.engine"
    trtnet("build", *given, "--dtype", "float16", "-o", engine)
    sidecar = json.loads((tmp_path / "model.engine.json").read_text())
    assert sidecar["quantization"] == {"up.weight": "int4, a scale a block of 32, with zero points"}
    assert "1 of int4, a scale a block of 32, with zero points" in trtnet("inspect", engine).stdout
    trtnet("run", *given, "--random", "0", "--save", tmp_path / "kept.npz")
    floats = tmp_path / "floats.safetensors"
    trtnet("convert", folder, floats, "--dequantize")
    trtnet("run", f"{model}:Model", "--weights", floats, "--random", "0", "--save", tmp_path / "floats.npz")
    kept, wanted = (np.load(tmp_path / name)["output"] for name in ("kept.npz", "floats.npz"))
    np.testing.assert_allclose(kept, wanted, rtol=1e-2, atol=2e-3)  # the floats are rounded to float16
    (tmp_path / "q.toml").write_text('"up" = "int8_weights"\n')
    trtnet("run", f"{model}:Model", "--weights", floats, "--quantization", tmp_path / "q.toml", "--random", "0")
    words = "has no quantized weights"
    assert words in trtnet("build", *given[:2], floats, *given[3:], "-o", engine, code=2).stderr


def test_ls_of_eight_gigabytes_reads_only_the_header(tmp_path: Path) -> None:
    from trtnet.tools.weights.files import rows

    def entry(i: int) -> dict[str, object]:
        return {"dtype": "F32", "shape": [1 << 20], "data_offsets": [i << 22, (i + 1) << 22]}

    header = {f"layer.{i}": entry(i) for i in range(2000)}
    text = json.dumps(header).encode()
    with (tmp_path / "huge.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + (2000 << 22))
    assert sum(row.bytes for row in rows(tmp_path / "huge.safetensors")) == 2000 << 22


def test_diff(weights: Path, tmp_path: Path) -> None:
    from trtnet.tools.weights.files import differences_table

    assert "0 of 2 keys differ" in trtnet("weights", "diff", weights, weights, "--values").stdout
    assert "--values compares the numbers" in str(differences_table([], values=False).caption)
    other = load_file(weights) | {"b": np.ones(1, np.float32)}
    other["a.weight"][0, 0] = 3
    save_file(other, tmp_path / "o.safetensors")
    found = json.loads(trtnet("weights", "diff", weights, tmp_path / "o.safetensors", "--json", "-", code=1).stdout)
    assert [row["key"] for row in found] == ["b"] and found[0]["only"] == "b"
    arguments = ("weights", "diff", weights, tmp_path / "o.safetensors", "--values", "--json", "-")
    found = {row["key"]: row for row in json.loads(trtnet(*arguments, code=1).stdout)}
    assert found["a.weight"]["max_abs"] == 3 and not found["a.weight"]["equal"] and "a.bias" not in found


ODD = ["[/red]", "[attn]q", ":smile:", "a\x1b[2Jb"]


def test_keys_are_shown_as_they_are(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 2)):
        save_file({key: np.full(2, value, np.float32) for key in ODD}, tmp_path / f"{name}.safetensors")
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for shown in (trtnet("weights", "ls", a).stdout, trtnet("weights", "diff", a, b, "--values", code=1).stdout):
        assert all(key in shown for key in (*ODD[:3], "a\\x1b[2Jb")) and "\x1b" not in shown
    assert "[2] float32" in trtnet("weights", "diff", a, b, "--values", code=1).stdout
    (tmp_path / "drop.toml").write_text(
        "[[rules]]\nmerge = ['^a(.)', 'none\\\\1']\nto = 'x\\\\1'\n".replace("\\\\", "\\")
    )
    failed = trtnet("weights", "ls", a, "--rules", tmp_path / "drop.toml", code=2).stderr
    assert "none\\x1b[2Jb is missing" in failed and "\x1b" not in failed


def test_diff_of_infinities_is_json(tmp_path: Path) -> None:
    values = {"a": [np.inf, -np.inf, np.nan, 1], "b": [np.inf, np.inf, np.nan, 2]}
    others = {"same": [np.inf, np.nan], "zero": [0.0, 0.0]}
    for name, array in values.items():
        last = {"zero": [np.nan, 0.0]} if name == "a" else {}
        tensors = {key: np.array(numbers, np.float32) for key, numbers in ({"x": array} | others | last).items()}
        save_file(tensors, tmp_path / f"{name}.safetensors")
    arguments = ("weights", "diff", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--values")
    run = trtnet(*arguments, "--json", "-", code=1)
    found = {row["key"]: row for row in json.loads(run.stdout, parse_constant=lambda name: pytest.fail(name))}
    assert set(found) == {"x", "zero"} and all(row["max_abs"] is row["rel_l2"] is None for row in found.values())
    assert "Warning" not in run.stderr and "Warning" not in trtnet(*arguments, code=1).stderr


@pytest.mark.parametrize("place", ["pipe.json", "link.json"])
def test_json_goes_where_it_is_told(place: str, weights: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "there.json")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / place).read_text()), daemon=True)
    if place == "pipe.json":
        reader.start()
    trtnet("weights", "ls", weights, "--json", tmp_path / place)
    if place == "link.json":
        reader.start()
    reader.join(10)
    assert json.loads(read[0])["bytes"] == 28
    assert (tmp_path / "pipe.json").is_fifo() and (tmp_path / "link.json").is_symlink()


def test_a_full_disk(weights: Path, tmp_path: Path) -> None:
    out, small = (
        tmp_path / "out.safetensors",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); ",
    )
    command = [
        sys.executable,
        "-c",
        f"{small}from trtnet.cli.main import main; main()",
        "convert",
        str(weights),
        str(out),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (2, f"error: cannot write {out}: File too large\n")
    assert [path.name for path in tmp_path.iterdir()] == [weights.name]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_no_half_of_a_file(name: str, tmp_path: Path) -> None:
    text = json.dumps(
        {f"w{i}": {"dtype": "F32", "shape": [1 << 24], "data_offsets": [i << 26, (i + 1) << 26]} for i in range(64)}
    )
    with (tmp_path / "in.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text.encode())
        file.truncate(8 + len(text) + (64 << 26))
    command = [
        sys.executable,
        "-c",
        f"import signal; signal.signal(signal.{name}, signal.SIG_DFL)\n"  # nohup ignores it
        "from trtnet.cli.main import main; main()",
        "convert",
        str(tmp_path / "in.safetensors"),
    ]
    with subprocess.Popen([*command, str(tmp_path / "out.safetensors")]) as process:
        for _ in range(600):
            if any(path.name.startswith(".out") for path in tmp_path.iterdir()):
                break
            time.sleep(0.05)
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == 128 + getattr(signal, name)
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]


def test_convert_by_detected_rules_for_a_model(tmp_path: Path) -> None:
    originals.import_torchvision()
    import timm

    torch.save(timm.create_model("vit_base_patch16_224").state_dict(), tmp_path / "vit.pth")
    out = tmp_path / "vit.safetensors"
    trtnet("convert", tmp_path / "vit.pth", out, "--rules", "auto", "--dtype", "bfloat16", "--model", "vit_b_16")
    found = open_checkpoint(out)
    assert found.info("encoder.pos_embedding").dtype.name == "bfloat16" and len(found) == 152
    assert found.metadata["trtnet.digest"] == found.digest()


def test_a_result_that_does_not_fit_the_model_is_not_written(weights: Path, tmp_path: Path) -> None:
    failed = trtnet("convert", weights, tmp_path / "x.safetensors", "--model", "resnet18", code=2)
    assert "missing" in failed.stderr and not (tmp_path / "x.safetensors").exists()
    assert (
        "of no family with rules"
        in trtnet("convert", weights, tmp_path / "x.safetensors", "--rules", "auto", code=2).stderr
    )
    assert "written as .safetensors" in trtnet("convert", weights, tmp_path / "x.npz", code=2).stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.safetensors"]


def test_the_checkpoint_that_is_read_is_not_replaced(weights: Path, tmp_path: Path) -> None:
    before = weights.read_bytes()
    (tmp_path / "link.safetensors").symlink_to(weights)
    (tmp_path / "less.toml").write_text('[[rules]]\ndrop = "bias$"\n')
    for out in (weights, tmp_path / "link.safetensors"):
        failed = trtnet("convert", weights, out, "--rules", tmp_path / "less.toml", code=2)
        assert f"{out} would replace what is read from {weights}: write to another file" in failed.stderr
    assert weights.read_bytes() == before
    folder = tmp_path / "folder"
    folder.mkdir()
    trtnet("convert", weights, folder / "model.safetensors")
    failed = trtnet("convert", folder, folder / "model.safetensors", "--dtype", "float16", code=2)
    assert "would replace what is read" in failed.stderr
    for _ in range(2):  # what another command wrote may be written again
        trtnet("convert", folder, folder / "half.safetensors", "--dtype", "float16")


def test_convert_by_a_rule_file_of_ones_own(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[[rules]]\nrename = '^a\\.'\nto = 'fc.'\n")
    trtnet("convert", weights, tmp_path / "x.safetensors", "--rules", tmp_path / "mine.toml")
    assert set(load_file(tmp_path / "x.safetensors")) == {"fc.weight", "fc.bias"}
    (tmp_path / "bad.toml").write_text("[[rules]]\nrename = '('\nto = ''\n")
    failed = trtnet("convert", weights, tmp_path / "y.safetensors", "--rules", tmp_path / "bad.toml", code=2)
    assert f"the rules {tmp_path}/bad.toml: rule 1: the pattern '(' is" in failed.stderr
    assert not (tmp_path / "y.safetensors").exists()


def test_refit_of_an_engine_that_was_not_built_for_it(tmp_path: Path) -> None:
    lenet = Path(__file__).parents[2] / "weights" / "lenet.safetensors"
    trtnet("build", "lenet", "--weights", lenet, "--dim", "batch=1", "-o", tmp_path / "l.engine")
    before = (tmp_path / "l.engine").read_bytes()
    failed = trtnet("refit", tmp_path / "l.engine", "--weights", lenet, code=2)
    assert "the engine was not built for refit" in failed.stderr
    assert (tmp_path / "l.engine").read_bytes() == before


def test_ls_of_what_cannot_be_read(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2, dtype=torch.uint16), "b": torch.ones(3)}, tmp_path / "x.pth")
    shown = trtnet("weights", "ls", tmp_path / "x.pth").stdout
    assert "not readable: uint16" in shown and "float32" in shown
    assert "0 of 2 keys differ" in trtnet("weights", "diff", tmp_path / "x.pth", tmp_path / "x.pth", "--values").stdout


def test_diff_of_large_integers_is_exact(tmp_path: Path) -> None:
    for name, value in (("a", 2**53), ("b", 2**53 + 1)):
        save_file({"n": np.array([value, -(2**62)])}, tmp_path / f"{name}.safetensors")
    arguments = ("weights", "diff", tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--values", "--json", "-")
    (found,) = json.loads(trtnet(*arguments, code=1).stdout)
    assert found["max_abs"] == 1 and found["equal"] is False


def verified(path: Path, code: int = 0) -> dict[str, str]:
    found = json.loads(trtnet("weights", "verify", path, "--json", "-", code=code).stdout)
    return {check["what"]: check["found"] for check in found if check["wrong"]}


def test_verify(weights: Path, tmp_path: Path) -> None:
    assert verified(weights) == {}
    trtnet("convert", weights, tmp_path / "digest.safetensors")
    content = bytearray((tmp_path / "digest.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "digest.safetensors").write_bytes(bytes(content))
    assert list(verified(tmp_path / "digest.safetensors", 1)) == ["trtnet.digest in its metadata"]
    save_file({"n": np.array([1, np.nan, np.inf, -np.inf], np.float32)}, tmp_path / "n.safetensors")
    assert verified(tmp_path / "n.safetensors", 1) == {"n": "1 NaN and 2 Inf of 4"}


def test_verify_of_weights_that_come_with_trtnet() -> None:
    assert trtnet("weights", "verify", "trtnet:lenet.safetensors").returncode == 0


def test_verify_of_an_archive_with_a_flipped_bit(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"w": torch.arange(1000.0), "c": torch.zeros(1, dtype=torch.uint16)}, path)
    assert verified(path) == {}
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(500.0, 504.0).numpy().tobytes())] ^= 1
    path.write_bytes(bytes(content))
    found = verified(path, 1)
    assert found.pop("x.pth: x/data/0") == "Bad CRC-32 for file 'x/data/0'"
    assert list(found) == ["w"] and "another checksum" in found["w"]


def test_verify_of_recorded_digests(weights: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    good = weights.rename(tmp_path / f"w-{digest[:8]}.safetensors")
    (tmp_path / f"{good.name}.sha256").write_text(f"{digest}  {good.name}\n")
    assert verified(good) == {}
    other = good.rename(tmp_path / "w-0123abcd.safetensors")
    assert list(verified(other, 1)) == ["w-0123abcd.safetensors: SHA-256 in its name"]


def test_convert_to_wts_and_back(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.tensor([[1.0, -2.5]]), "n": torch.tensor(3)}, tmp_path / "x.pth")
    trtnet("convert", tmp_path / "x.pth", tmp_path / "x.wts")
    assert (tmp_path / "x.wts").read_text() == "2\na.weight 2 3f800000 c0200000\nn 1 40400000\n"
    assert open_checkpoint(tmp_path / "x.wts")["a.weight"].tolist() == [1, -2.5]


def test_names_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    save_file({"\u91cd\u307f": np.ones(1, np.float32)}, tmp_path / "k.safetensors")
    command = [
        sys.executable,
        "-c",
        "from trtnet.cli.main import main; main()",
        "weights",
        "ls",
        tmp_path / "k.safetensors",
    ]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0 and "\\u91cd\\u307f" in result.stdout


@pytest.mark.parametrize("command", ["convert", "verify", "quantize"])
def test_progress_is_on_standard_error(
    command: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal; standard output is for what a command finds."""
    (tmp_path / "net.py").write_text(
        "import trtnet\nfrom trtnet import nn\nclass Net(nn.Module):\n    inputs = {'x': trtnet.Input((2, 3))}\n"
        "    def __init__(self): self.a = nn.Linear(3, 2)\n    def forward(self, x): return self.a(x)\n"
    )
    np.savez(tmp_path / "x.npz", x=np.ones((4, 3), np.float32))
    words = {
        "convert": ("convert", weights, tmp_path / "out.safetensors"),
        "verify": ("weights", "verify", weights),
        "quantize": (
            "quantize", f"{tmp_path}/net.py:Net", "--weights", weights, "--data", tmp_path / "x.npz",
            "-o", tmp_path / "q.safetensors", "--batch", "2",
        ),
    }  # fmt: skip
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "300")  # of one that cuts no path
    terminal = SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: True))
    for module in ("trtnet.cli.weights.sys", "trtnet.cli.quantize.sys"):
        monkeypatch.setattr(module, terminal)
    result = CliRunner().invoke(app, [str(word) for word in words[command]], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    sign = {"convert": "out.safetensors", "verify": "w.safetensors", "quantize": "calibrating"}[command]
    assert sign in result.stderr and "100%" not in result.stdout and "\x1b[2K" not in result.stdout
