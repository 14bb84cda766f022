"""The commands on checkpoints, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import originals
import pytest
import torch
from safetensors.numpy import load_file, save_file

from trtnet.checkpoint import open_checkpoint


def trtnet(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from trtnet.cli import main; main()", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
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
    assert listed == {"tensors": [{"key": "a.bias", "shape": [2], "dtype": "float16", "bytes": 4}], "bytes": 4}
    assert "is no regular expression" in trtnet("weights", "ls", weights, "--filter", "[", code=2).stderr
    assert "No such file" in trtnet("weights", "ls", weights.with_name("none.pth"), code=2).stderr


def test_ls_of_eight_gigabytes_reads_the_header_alone(tmp_path: Path) -> None:
    from trtnet.tools.weights import rows

    def entry(i: int) -> dict[str, object]:
        return {"dtype": "F32", "shape": [1 << 20], "data_offsets": [i << 22, (i + 1) << 22]}

    header = {f"layer.{i}": entry(i) for i in range(2000)}
    text = json.dumps(header).encode()
    with (tmp_path / "huge.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + (2000 << 22))
    assert sum(row.bytes for row in rows(tmp_path / "huge.safetensors")) == 2000 << 22


def test_diff(weights: Path, tmp_path: Path) -> None:
    assert "0 of 2 keys differ" in trtnet("weights", "diff", weights, weights, "--values").stdout
    other = load_file(weights) | {"b": np.ones(1, np.float32)}
    other["a.weight"][0, 0] = 3
    save_file(other, tmp_path / "o.safetensors")
    found = json.loads(trtnet("weights", "diff", weights, tmp_path / "o.safetensors", "--json", "-", code=1).stdout)
    assert [row["key"] for row in found] == ["b"] and found[0]["only"] == "b"
    arguments = ("weights", "diff", weights, tmp_path / "o.safetensors", "--values", "--json", "-")
    found = {row["key"]: row for row in json.loads(trtnet(*arguments, code=1).stdout)}
    assert found["a.weight"]["max_abs"] == 3 and not found["a.weight"]["equal"] and "a.bias" not in found


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
        "of no family that there are rules for"
        in trtnet("convert", weights, tmp_path / "x.safetensors", "--rules", "auto", code=2).stderr
    )
    assert "writes .safetensors" in trtnet("convert", weights, tmp_path / "x.npz", code=2).stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.safetensors"]


def test_convert_by_a_rule_file_of_ones_own(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[[rules]]\nrename = '^a\\.'\nto = 'fc.'\n")
    trtnet("convert", weights, tmp_path / "x.safetensors", "--rules", tmp_path / "mine.toml")
    assert set(load_file(tmp_path / "x.safetensors")) == {"fc.weight", "fc.bias"}
    (tmp_path / "bad.toml").write_text("[[rules]]\nrename = '('\nto = ''\n")
    failed = trtnet("convert", weights, tmp_path / "y.safetensors", "--rules", tmp_path / "bad.toml", code=2)
    assert "the rules bad: rule 1: the pattern '(' is" in failed.stderr and not (tmp_path / "y.safetensors").exists()


def test_refit_of_an_engine_that_was_not_built_for_it(tmp_path: Path) -> None:
    lenet = Path(__file__).parents[2] / "weights" / "lenet.safetensors"
    trtnet("build", "lenet", "--weights", lenet, "--dim", "batch=1", "-o", tmp_path / "l.engine")
    before = (tmp_path / "l.engine").read_bytes()
    failed = trtnet("refit", tmp_path / "l.engine", "--weights", lenet, code=2)
    assert "the engine was not built for refit" in failed.stderr
    assert (tmp_path / "l.engine").read_bytes() == before
