"""`trtnet batch`: the rows of each kind of file, what inputs they become, and the columns of the results."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from helpers.runtime.engines import doubling_engine
from PIL import Image

from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import ExecutionError, InputError, ModelError
from trtnet.tools.batch.images import ImageOptions
from trtnet.tools.batch.inputs import InputOptions, Inputs
from trtnet.tools.batch.job import here, run_job
from trtnet.tools.batch.predictions import check_batched, predictions
from trtnet.tools.batch.rows import Row, read
from trtnet.tools.batch.shards import Shard, Source
from trtnet.tools.batch.work import Job
from trtnet.tools.targets.function import Function
from trtnet.tools.targets.importing import imported

pa = pytest.importorskip("pyarrow", reason="results are Parquet, which needs pyarrow: pip install 'trtnet[batch]'")
parquet = pytest.importorskip("pyarrow.parquet")

IMAGE = TensorInfo("image", ("batch", 3, 8, 8), "float32")


def rows(kind: str, folder: Path, *names: str) -> list[Row]:
    return list(read(kind, folder, Shard("s", tuple(Source(name, 0, 0) for name in names))))


def picture(height: int = 13, width: int = 17, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as file:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))


# rows
def test_samples_of_a_tar(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.arange(3))
    files = {"a/1.jpg": b"J", "a/1.cls": b"7", "a/2.jpg": b"K", "./b/2.jpg": b"L", "b/2.x.npy": array.getvalue()}
    tar(tmp_path / "s.tgz", files)
    found = rows("tar", tmp_path, "s.tgz")
    assert [(row.key, row.index) for row in found] == [("a/1", 0), ("a/2", 1), ("b/2", 2)]
    assert found[0].fields == {"jpg": b"J", "cls": "7"} and found[1].fields == {"jpg": b"K"}
    np.testing.assert_array_equal(found[2].fields["x.npy"], [0, 1, 2])
    assert str(found[1]) == "s.tgz, row a/2"


def test_rows_of_npz_and_of_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(6).reshape(3, 2), label=np.arange(3))
    assert [row.fields["x"].tolist() for row in rows("npz", tmp_path, "a.npz")] == [[0, 1], [2, 3], [4, 5]]
    np.savez(tmp_path / "b.npz", x=np.zeros(3), y=np.zeros(2))
    with pytest.raises(InputError, match="different numbers of rows"):
        rows("npz", tmp_path, "b.npz")
    np.savez(tmp_path / "c.npz", x=np.array([{}]))
    (tmp_path / "d.npz").write_bytes(b"PK garbage")
    for name, why in (("c.npz", "Python objects"), ("d.npz", "not a zip file")):
        with pytest.raises(InputError, match=f"is not an .npz of arrays: .*{why}") as raised:
            rows("npz", tmp_path, name)
        assert "pickle" not in str(raised.value)
    picture().save(tmp_path / "p.png")
    (row,) = rows("images", tmp_path, "p.png")
    assert row.fields["image"] == (tmp_path / "p.png").read_bytes() and str(row) == "p.png"


@pytest.mark.parametrize("name", ["x.npz", "x.tar", "x.parquet"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nonsense" * 200)
    with pytest.raises(InputError, match=name):
        rows(name[2:], tmp_path, name)
    with pytest.raises(InputError, match="missing"):
        rows(name[2:], tmp_path, f"missing{name}")


def test_rows_of_parquet(tmp_path: Path) -> None:
    from trtnet.tools.batch.arrow import rows_of

    columns = {
        "flat": pa.array([[1, 2], [3]], pa.list_(pa.int16())),
        "nested": pa.array([[[1.5, 2], [3, 4]], [[5, 6], [7, 8]]], pa.list_(pa.list_(pa.float32(), 2))),
        "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(4, dtype=np.float32).reshape(2, 2)),
        "number": pa.array([1, 2], pa.uint8()),
        "text": pa.array(["a", None]),
        "picture": pa.array([{"bytes": b"x", "path": "p"}, None]),
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    first, second = rows_of(tmp_path / "t.parquet", 1)
    assert first["flat"].dtype == np.int16 and first["flat"].tolist() == [1, 2] and second["flat"].tolist() == [3]
    assert second["nested"].dtype == np.float32 and second["nested"].tolist() == [[5, 6], [7, 8]]
    assert second["tensor"].tolist() == [2, 3] and second["number"].dtype == np.uint8 and second["number"] == 2
    assert (first["text"], second["text"], first["picture"]["bytes"], second["picture"]) == ("a", None, b"x", None)


# inputs
@pytest.mark.parametrize("size", [(13, 17), (40, 9), (8, 8), (9, 40), (64, 64)])
def test_images_are_torchvisions(size: tuple[int, int]) -> None:
    transforms = imported("torchvision.transforms", "torchvision")
    image, mean, std = picture(*size), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    steps = [transforms.Resize(9), transforms.CenterCrop(8), transforms.ToTensor(), transforms.Normalize(mean, std)]
    expected = transforms.Compose(steps)(image).numpy()
    inputs = Inputs([IMAGE], InputOptions(images=ImageOptions(9, mean, std)))
    for value in (encoded(image), np.asarray(image), {"bytes": encoded(image), "path": None}):
        np.testing.assert_allclose(inputs({"jpg": value})["image"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(13, 17), (40, 9), (5, 100), (8, 8)])
def test_images_are_large_enough_by_themselves(size: tuple[int, int]) -> None:
    found = Inputs([TensorInfo("image", ("batch", 8, 8, 1), "uint8")], InputOptions())({"png": encoded(picture(*size))})
    assert found["image"].shape == (8, 8, 1) and found["image"].dtype == np.uint8 and found["image"].std() > 0


def test_an_image_for_an_input_of_any_size_keeps_its_own() -> None:
    info = TensorInfo("image", ("batch", "height", "width", 3), "uint8")
    np.testing.assert_array_equal(
        Inputs([info], InputOptions())({"png": encoded(picture())})["image"], np.asarray(picture())
    )


def test_fields_are_found_by_name() -> None:
    takes = [TensorInfo("a", ("n", 2), "float32"), TensorInfo("b", ("n",), "int32")]
    fields = {"a": np.ones(2, np.float32), "c": np.asarray(3), "b.npy": np.int64(4)}
    assert Inputs(takes, InputOptions())(fields)["b"] == 4
    assert Inputs(takes, InputOptions({"b": "c"}))(fields)["b"] == 3
    with pytest.raises(InputError, match=r"no field for the input b; the fields are a, x. Name one: --column b=FIELD"):
        Inputs(takes, InputOptions())({"a": fields["a"], "x": fields["c"]})
    with pytest.raises(InputError, match=r"--column z: the model has no such input; it has a, b"):
        Inputs(takes, InputOptions({"z": "c"}))


def test_nothing_is_rounded_silently() -> None:
    info = TensorInfo("x", ("n", 2), "float16")
    assert Inputs([info], InputOptions())({"x": [0.5, 2.0]})["x"].dtype == np.float16
    with pytest.raises(InputError, match=r"float64 values that it does not have; --cast rounds them"):
        Inputs([info], InputOptions())({"x": [0.1, 2.0]})
    np.testing.assert_array_equal(Inputs([info], InputOptions(cast=True))({"x": [0.1, 2.0]})["x"], np.float16([0.1, 2]))
    with pytest.raises(InputError, match=r"int64 values that it does not have"):
        Inputs([TensorInfo("x", ("n",), "int32")], InputOptions())({"x": np.int64(2**40)})
    with pytest.raises(InputError, match="takes numbers"):
        Inputs([info], InputOptions())({"x": np.array(["a", "b"])})


def test_a_flat_list_is_an_input_of_fixed_sizes() -> None:
    flat = np.arange(3 * 8 * 8, dtype=np.float32)
    assert Inputs([IMAGE], InputOptions())({"image": flat})["image"].shape == (3, 8, 8)
    with pytest.raises(InputError, match="has 3 dimensions"):
        Inputs([IMAGE], InputOptions())({"image": flat[1:]})


@pytest.mark.parametrize("value", [None, "text", b"no image", {"path": "x"}])
def test_what_is_no_array_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"takes an array|no field for|not an image"):
        Inputs([IMAGE], InputOptions())({"image": value})


def test_a_function_of_the_users_own_prepares_rows(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def twice(row): return {'x': row['y'] * 2}\ndef none(row): pass\n")
    info = TensorInfo("x", ("n",), "int64")
    assert Inputs([info], InputOptions(prepare=f"{tmp_path}/mine.py:twice"))({"y": np.int64(4)})["x"] == 8
    with pytest.raises(InputError, match="returned NoneType; a dict of fields is needed"):
        Inputs([info], InputOptions(prepare=f"{tmp_path}/mine.py:none"))({"y": 4})
    with pytest.raises(ModelError, match="no function 'other'"):
        Inputs([info], InputOptions(prepare=f"{tmp_path}/mine.py:other"))({"y": 4})


# results
@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("float32", "float"), ("float16", "halffloat"), ("bfloat16", "float"), ("int64", "int64"), ("bool", "bool")],
)
def test_columns_have_the_values(dtype: str, kept: str) -> None:
    from trtnet.tools.batch.arrow import column, column_type

    info = TensorInfo("y", ("n", 2, "length", 2), dtype)
    number = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    values = [(np.arange(12).reshape(2, 3, 2) % 5 + n).astype(number) for n in range(4)]
    made = column(info, values)
    assert made.type == column_type(info) and made.type.value_type.value_type.value_type == kept
    assert made.to_pylist() == [value.tolist() for value in values]
    (scalar,) = column(TensorInfo("y", ("n",), "float32"), [np.float32(3)]).to_pylist()
    assert scalar == 3


def test_an_engine_gets_batches_and_bad_rows_stay_in_their_places() -> None:
    engine, _ = doubling_engine()
    fields = [{"x": np.full(3, n, np.float32) if n % 3 else np.zeros(2, np.float32)} for n in range(8)]
    given = [Row("f", index, None, each) for index, each in enumerate(fields)]
    found = list(predictions(engine, iter(given), Inputs(engine.inputs, InputOptions()), 4, record=True))
    assert [each.row.index for each in found] == list(range(8))
    assert [bool(each.error) for each in found] == [n % 3 == 0 for n in range(8)]
    for n in (1, 2, 4, 5, 7):
        np.testing.assert_array_equal(found[n].outputs["output"], np.full(3, 2 * n + 1))
    with pytest.raises(InputError, match=r"f: input x \[3\] float32"):
        list(predictions(engine, iter(given), Inputs(engine.inputs, InputOptions()), 4, record=False))


class Padded:
    """A model of batches of 3, as TensorInfo says it."""

    inputs = (TensorInfo("x", (3, "length"), "int64"),)
    outputs = (TensorInfo("y", (3, "length"), "int64"), TensorInfo("z", (3,), "int64"))

    def __call__(self, x: Any) -> Any:
        from trtnet.support.call_interface import returned

        assert x.shape[0] == 3
        return returned({"y": x + 1, "z": x.sum(1)})


def test_rows_of_several_shapes_and_a_fixed_batch() -> None:
    values = [np.arange(length) for length in (2, 2, 2, 2, 5, 2)]
    given = (Row("f", index, None, {"x": value}) for index, value in enumerate(values))
    found = list(predictions(Padded(), given, Inputs(Padded.inputs, InputOptions()), 8, record=False))
    for value, each in zip(values, found, strict=True):
        np.testing.assert_array_equal(each.outputs["y"], value + 1)
        assert each.outputs["z"] == value.sum()


class Table:
    """Rows of a table, as the reference refuses a number that it does not have."""

    inputs = (TensorInfo("x", ("batch",), "int64"),)
    outputs = (TensorInfo("y", ("batch",), "int64"),)

    def __call__(self, x: Any) -> Any:
        if (x >= 5).any():
            raise ExecutionError(f"the layer does not take these values: {x.min()} to {x.max()}")
        return x * 10


def test_values_that_the_model_does_not_take_are_an_error_of_their_row() -> None:
    given = [Row("f", index, None, {"x": np.int64(value)}) for index, value in enumerate([1, 7, 2, 3, 9])]
    prepare = Inputs(Table.inputs, InputOptions())
    found = list(predictions(Table(), iter(given), prepare, 3, record=True))
    assert [(each.row.index, each.error[-6:] or each.outputs["y"]) for each in found] == [
        (0, 10), (1, "7 to 7"), (2, 20), (3, 30), (4, "9 to 9"),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"^f, row 1: the layer does not take these values: 7 to 7"):
        list(predictions(Table(), iter(given), prepare, 3, record=False))


def test_a_model_without_a_batch_axis_is_refused() -> None:
    class Model:
        inputs = (TensorInfo("x", ("n", 3), "float32"),)
        outputs = (TensorInfo("y", (), "float32"),)

    with pytest.raises(InputError, match=r"rows need a batch axis.*x \[n, 3\] float32, y \[\] float32"):
        check_batched(Model())


def test_lenet_over_images_in_a_tar(tmp_path: Path) -> None:
    images = [picture(28, 28, seed).convert("L") for seed in range(5)]
    files = {f"{n}.png": encoded(image) for n, image in enumerate(images)} | {"3.cls": b"3", "5.png": b"broken"}
    (tmp_path / "in").mkdir()
    tar(tmp_path / "in/a.tar", dict(sorted(files.items())))
    lenet = Function("lenet", choices())
    job = Job(lenet, tmp_path / "in", tmp_path / "out", "tar", InputOptions(), batch=2, record=True)
    assert (done := run_job(job, here)).rows == 6 and done.errors == 1
    found = parquet.read_table(tmp_path / "out/a.tar.parquet")
    assert found.schema.names == ["file", "row", "key", "output", "error"]
    last = found.to_pylist()[-1]
    assert (last["key"], last["output"]) == ("5", None) and "not an image" in last["error"]
    pixels = np.stack([np.asarray(image, np.float32)[None] / 255 for image in images])
    expected = lenet.open()(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(found["output"].to_pylist()[:5], expected, rtol=0, atol=1e-5)


def choices() -> Any:
    from trtnet.tools.targets.networks import Choices

    return Choices("trtnet:lenet.safetensors")
