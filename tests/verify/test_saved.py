"""Files of arrays: numpy's, polygraphy's (with polygraphy itself on the other side) and trtexec's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import trtnet
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, TrtnetError
from trtnet.verify.arrays import trtexec_files as trtexec
from trtnet.verify.arrays.saved import read_iterations, read_npz, read_runs, write_inputs, write_outputs

os.environ.setdefault("POLYGRAPHY_AUTOINSTALL_DEPS", "0")

ARRAYS: dict[str, Any] = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3) / 3,
    "halves": np.array([1.5, np.inf, np.nan], np.float16),
    "ids": np.array([[1, -(2**40)]], np.int64),
    "mask": np.array([True, False]),
    "scalar": np.array(2.5),
    "file": np.zeros((0, 3), np.int32),
}


def same(found: Any, expected: Any) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_polygraphy_reads_our_inputs_and_we_read_its(tmp_path: Path) -> None:
    from polygraphy.json import load_json, save_json

    iterations = [ARRAYS, {name: array[::-1] if array.ndim else array for name, array in ARRAYS.items()}]
    write_inputs(tmp_path / "ours.json", iterations)
    for found, expected in zip(load_json(str(tmp_path / "ours.json")), iterations, strict=True):
        same(found, expected)
    save_json(iterations, str(tmp_path / "theirs.json"))
    for path in ("ours.json", "theirs.json"):
        for found, expected in zip(read_iterations(tmp_path / path), iterations, strict=True):
            same(found, expected)
    save_json(ARRAYS, str(tmp_path / "one.json"))
    same(read_iterations(tmp_path / "one.json")[0], ARRAYS)


def test_polygraphy_reads_our_outputs_and_we_read_its(tmp_path: Path) -> None:
    from polygraphy.comparator import RunResults

    theirs = RunResults()
    theirs.add([ARRAYS, ARRAYS], runtime=0.1, runner_name="trt-runner")
    theirs.add([ARRAYS], runner_name="onnxrt")
    theirs.save(str(tmp_path / "theirs.json"))
    runs = read_runs(tmp_path / "theirs.json")
    assert {runner: len(iterations) for runner, iterations in runs.items()} == {"trt-runner": 2, "onnxrt": 1}
    same(runs["trt-runner"][1], ARRAYS)
    write_outputs(tmp_path / "ours.json", runs)
    read = RunResults.load(str(tmp_path / "ours.json"))
    assert list(read.keys()) == ["trt-runner", "onnxrt"] and read["trt-runner"][0].runner_name == "trt-runner"
    same(dict(read["onnxrt"][0].items()), ARRAYS)
    with pytest.raises(InputError, match=r"theirs.json has the results of trt-runner, onnxrt; name one: .*:trt-runner"):
        read_iterations(tmp_path / "theirs.json")


def test_polygraphys_folders_and_torch_tensors(tmp_path: Path) -> None:
    import torch
    from polygraphy.json import save_json

    for i in (2, 10, 1):
        save_json([{"x": torch.full((2,), float(i)).bfloat16()}], str(tmp_path / f"{i}.json"))
    values = [arrays["x"] for arrays in read_iterations(tmp_path)]
    assert [float(x[0]) for x in values] == [1, 2, 10] and values[0].dtype == ml_dtypes.bfloat16


def test_polygraphys_own_comparison_accepts_what_we_saved(tmp_path: Path) -> None:
    from polygraphy.comparator import Comparator, RunResults, SimpleCompareFunc

    network = trtnet.define(Doubling(), {"x": trtnet.Input((2, 3))})
    report = trtnet.compare({"ours": network}, {"numpy": lambda x: {"output": x * 2}}, iterations=2, keep=True)
    write_outputs(tmp_path / "outputs.json", report.kept_outputs)
    results = RunResults.load(str(tmp_path / "outputs.json"))
    assert list(results.keys()) == ["ours", "numpy"]
    compared = Comparator.compare_accuracy(results, compare_func=SimpleCompareFunc(atol=0, rtol=0))
    assert bool(compared)


class Doubling(trtnet.nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_what_numpys_files_do_not_know_is_written_wider(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    values = np.array([1.5, -2, np.inf])
    arrays = {
        "bfloat16": values.astype(ml_dtypes.bfloat16),
        "float8": np.array([0.5, 448]).astype(ml_dtypes.float8_e4m3fn),
        "int4": np.array([-8, 7]).astype(ml_dtypes.int4),
    }
    write_inputs(path, [arrays])
    (found,) = read_iterations(path)
    assert [array.dtype for array in found.values()] == [np.float32, np.float32, np.int8]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array.astype(np.float32))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_with_any_byte_changed_is_read_or_refused(tmp_path: Path, save: Any) -> None:
    file = tmp_path / "x.npz"
    save(file, x=np.arange(4.0))
    whole, refused = file.read_bytes(), 0
    for place in range(len(whole)):
        for byte in {0, 255, whole[place] ^ 1} - {whole[place]}:
            file.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                read_npz(file)
            except InputError as error:
                assert "x.npz is not an .npz of arrays" in str(error)
                refused += 1
    assert refused > len(whole)
    file.write_bytes(b"")
    with pytest.raises(InputError, match=r"is not an \.npz of arrays"):
        read_npz(file)
    np.save(file.with_suffix(".npy"), np.ones(3))
    with pytest.raises(InputError, match=r"is not an \.npz of arrays"):
        read_npz(file.with_suffix(".npy").rename(file))


def test_npz_of_any_names_and_of_one_iteration(tmp_path: Path) -> None:
    write_outputs(tmp_path / "x.npz", {"ours": [ARRAYS]})
    same(read_iterations(tmp_path / "x.npz")[0], ARRAYS)
    with pytest.raises(InputError, match=r"an \.npz holds one iteration; these are 2: write \.json"):
        write_inputs(tmp_path / "x.npz", [ARRAYS, ARRAYS])
    with pytest.raises(InputError, match=r"an \.npz holds the outputs of one; these are of a, b"):
        write_outputs(tmp_path / "x.npz", {"a": [ARRAYS], "b": [ARRAYS]})
    with pytest.raises(TrtnetError, match="cannot write"):
        write_inputs(tmp_path / "missing" / "x.npz", [ARRAYS])


def test_trtexecs_outputs(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text(
        '[\n  { "name" : "logits"\n  , "dimensions" : "2x2"\n  , "values" : [ 1.5, -inf, nan, 2e-05 ]\n  }\n'
        ', { "name" : "infinity, nan"\n  , "dimensions" : ""\n  , "values" : [ inf ]\n  }\n]\n'
    )
    (found,) = read_iterations(tmp_path / "out.json")
    assert list(found) == ["logits", "infinity, nan"] and found["logits"].dtype == np.float32
    np.testing.assert_array_equal(found["logits"], np.array([[1.5, -np.inf], [np.nan, 2e-5]], np.float32))
    assert found["infinity, nan"].shape == () and found["infinity, nan"] == np.inf


def test_trtexecs_raw_inputs(tmp_path: Path) -> None:
    info = TensorInfo("x", ("n", 3), "float16")
    values = np.arange(6, dtype=np.float16).reshape(2, 3)
    values.tofile(tmp_path / "x.bin")
    np.testing.assert_array_equal(trtexec.read_raw(tmp_path / "x.bin", info, {"n": 2}), values)
    with pytest.raises(InputError, match="does not say its shape: give the size of n"):
        trtexec.read_raw(tmp_path / "x.bin", info, {})
    with pytest.raises(InputError, match=r"has 12 bytes; \[3, 3\] float16 has 18"):
        trtexec.read_raw(tmp_path / "x.bin", info, {"n": 3})
    with pytest.raises(InputError, match="input x: cannot read"):
        trtexec.read_raw(tmp_path / "y.bin", info, {"n": 2})


@pytest.mark.parametrize(
    "document",
    [
        "[", "3", "[3]", '{"lst": 3}', '{"lst": [["a", [{"outputs": {"x": {}}}]]]}', '[{"x": {"array": "!"}}]',
        '[{"x": {"array": "AAAA", "polygraphy_class": "ndarray"}}]', '[{"x": {"polygraphy_class": "Tensor"}}]',
        '[{"name": "x", "dimensions": "2x", "values": [1]}]', '[{"name": "x", "dimensions": "3", "values": [1]}]',
        '{"a": 3}', "\x00",
    ],
)  # fmt: skip
def test_damaged_files_are_errors_that_name_the_file(document: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(document)
    with pytest.raises(InputError, match=r"x\.json"):
        read_runs(tmp_path / "x.json")


def test_files_that_are_not_there_or_not_archives(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    for name in ("x.npz", "y.npz", "y.json", "empty"):
        with pytest.raises(InputError, match=name):
            read_runs(tmp_path / name)


@pytest.mark.parametrize(("name", "text"), [("x.json", "[]"), ("x.json", "[{}]"), ("x.json", '{"lst": []}')])
def test_files_without_arrays(name: str, text: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "empty.npz")
    (tmp_path / name).write_text(text)
    for file in (tmp_path / "empty.npz", tmp_path / name):
        with pytest.raises(InputError, match=rf"{file.name} holds no arrays"):
            trtnet.compare({"a": file}, {"b": file})


def test_an_empty_file_says_what_it_should_be(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("")
    with pytest.raises(InputError, match=r"x\.json is not JSON, as polygraphy's inputs and outputs .* are"):
        read_iterations(tmp_path / "x.json")


def test_runners_may_have_colons_in_their_names(tmp_path: Path) -> None:
    runs = {"cnn.py:ours": [{"y": np.zeros(2)}], "torch://x.npz": [{"y": np.ones(2)}]}
    write_outputs(tmp_path / "o.json", runs)
    for runner, arrays in runs.items():
        report = trtnet.compare(f"{tmp_path}/o.json:{runner}", lambda x, arrays=arrays: arrays[0], {"x": np.zeros(2)})
        assert report.passed and report.outputs[0].worst.max_abs == 0
    with pytest.raises(InputError, match=r"name one: .*o\.json:cnn\.py:ours"):
        trtnet.compare(tmp_path / "o.json", lambda x: x, {"x": np.zeros(2)})


def test_saved_outputs_are_compared_by_iteration(tmp_path: Path) -> None:
    inputs = [{"x": np.full(2, float(i))} for i in range(3)]
    write_inputs(tmp_path / "in.json", inputs)
    first = trtnet.compare(lambda x: x * 2, lambda x: x + x, tmp_path / "in.json", keep=True)
    assert first.passed and len(first.outputs[0].iterations) == 3
    write_outputs(tmp_path / "out.json", {"one": first.kept_outputs["<lambda>"]})
    again = trtnet.compare(tmp_path / "out.json", lambda x: x * 2, tmp_path / "in.json")
    assert again.passed and again.outputs[0].candidate == "out.json"
    assert not trtnet.compare(lambda x: x, tmp_path / "out.json", tmp_path / "in.json").passed
    write_outputs(tmp_path / "short.json", {"one": first.kept_outputs["<lambda>"][:2]})
    with pytest.raises(InputError, match=r"short\.json has the outputs of 2 iterations; there are more inputs"):
        trtnet.compare(tmp_path / "short.json", lambda x: x, tmp_path / "in.json")
    with pytest.raises(InputError, match=r"out\.json has the outputs of 3 iterations; there were 1"):
        trtnet.compare(tmp_path / "out.json", lambda x: x * 2, inputs[0])
    files = trtnet.compare({"a": tmp_path / "out.json"}, {"b": tmp_path / "out.json"})
    assert files.passed and len(files.outputs[0].iterations) == 3 and files.seed is None
    (tmp_path / "other").mkdir()
    (tmp_path / "short.json").rename(tmp_path / "other" / "out.json")
    for one, two in ((tmp_path, tmp_path / "other"), (tmp_path / "other", tmp_path)):
        with pytest.raises(InputError, match=r"different numbers of saved iterations: [23], [23]"):
            trtnet.compare({"a": one / "out.json"}, {"b": two / "out.json"})


def test_reading_and_writing_need_no_torch(tmp_path: Path) -> None:
    write_inputs(tmp_path / "x.json", [ARRAYS])
    program = (
        "import sys; sys.modules['torch'] = None; from pathlib import Path; from trtnet.verify.arrays.saved import *;"
        "write_inputs(Path('y.json'), read_iterations(Path('x.json')))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert json.loads((tmp_path / "y.json").read_text()) == json.loads((tmp_path / "x.json").read_text())


def exported(path: Path, **outputs: list[float]) -> Path:
    """As trtexec's --exportOutput."""
    document = [{"name": name, "dimensions": str(len(values)), "values": values} for name, values in outputs.items()]
    path.write_text(json.dumps(document))
    return path


def test_integers_in_two_files_without_dtypes(tmp_path: Path) -> None:
    """30001 in place of 30000 is near as a float, and trtexec writes both alike."""
    ids = list(range(30_000, 30_064))
    wrong = [*ids[:5], ids[5] + 1, *ids[6:]]
    expected, found = exported(tmp_path / "e.json", ids=ids), exported(tmp_path / "f.json", ids=wrong)
    (output,) = trtnet.compare(found, expected).outputs
    assert output.failures == ("1 element differs",) and "held to be equal without --atol" in output.likeness
    assert trtnet.compare(found, expected, tolerance=trtnet.Tolerance(atol=1)).passed
    for more in (0.5, 1e6, 123456 - 30_000):  # floats, whole by the six digits or not
        values = [value + more for value in ids]
        near = [value * (1 + 1e-6) for value in values]
        expected, found = exported(tmp_path / "e.json", y=values), exported(tmp_path / "f.json", y=near)
        assert trtnet.compare(found, expected).passed
    (output,) = trtnet.compare(expected, expected).outputs
    assert output.passed and not output.likeness


def test_what_files_have_twice(tmp_path: Path) -> None:
    """A dict has the last of them, and the first was not compared."""
    (tmp_path / "t.json").write_text(json.dumps([{"name": "y", "dimensions": "1", "values": [n]} for n in (1, 2)]))
    write_outputs(tmp_path / "p.json", {"a": [{"y": np.ones(1)}]})
    document = json.loads((tmp_path / "p.json").read_text())
    document["lst"] *= 2
    (tmp_path / "p.json").write_text(json.dumps(document))
    (tmp_path / "k.json").write_text('{"lst": [], "lst": []}')
    for name, what in (("t", "'y'"), ("p", "'a'"), ("k", "'lst'")):
        with pytest.raises(InputError, match=f"it has {what} twice"):
            read_runs(tmp_path / f"{name}.json")


def test_a_folder_of_two_runners(tmp_path: Path) -> None:
    """The outputs of the second call were left out, and those of the third compared with it."""
    for number, runner in enumerate("aba"):
        write_outputs(tmp_path / f"{number}.json", {runner: [{"y": np.full(2, number)}]})
    with pytest.raises(InputError, match="file 1 of it has the results of b, the first those of a"):
        read_runs(tmp_path)


def test_an_npz_that_lost_an_entry_of_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones(2), b=np.ones(2))
    content = path.read_bytes()
    last = content.rindex(b"PK\1\2")
    comment = content.rindex(b"PK\1\2", 0, last) + 32
    path.write_bytes(content[:comment] + (len(content) - 22 - last).to_bytes(2, "little") + content[comment + 2 :])
    with pytest.raises(InputError, match="its directory has 1 of 2 entries"):
        read_npz(path)
