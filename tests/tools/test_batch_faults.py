"""`trtnet batch`: damaged, changing and odd files. What is wrong is said, nothing is lost or made up in silence."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tools.batches import Doubling, job, written
from PIL import Image

from trtnet.support.errors import InputError
from trtnet.tools.batch.inputs import InputOptions
from trtnet.tools.batch.job import JobError, here, run_job
from trtnet.tools.batch.shards import Shard, find
from trtnet.tools.batch.work import Job, Outcome

pa = pytest.importorskip("pyarrow", reason="results are Parquet, which needs pyarrow: pip install 'trtnet[batch]'")
parquet = pytest.importorskip("pyarrow.parquet")

FLOATS = pa.list_(pa.float32())
GOOD = pa.array([[1, 2], [3, 4], [5, 6]], FLOATS)


def over(folder: Path, kind: str, *keep: str, record: bool = False) -> list[dict[str, Any]]:
    """The results of a job over ``folder/in``."""
    inputs = InputOptions({"x": "x.npy"} if kind == "tar" else {})
    run_job(Job(Doubling(), folder / "in", folder / "out", kind, inputs, keep, 2, record), here)
    return [row for path in sorted((folder / "out").rglob("*.parquet")) for row in parquet.read_table(path).to_pylist()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


# Parquet
@pytest.mark.parametrize(
    ("values", "found"),
    [
        (pa.array([[1, 2], [3, None], [5, 6]], FLOATS), "takes numbers; found a null, float"),
        (pa.array([[1, 2], [3, None], [5, 6]], pa.list_(pa.int32())), "takes numbers; found a null, int"),
        (pa.array([[[1, 2]], [[1], [2, 3]]], pa.list_(FLOATS)), "found lists of several lengths"),
        (pa.array([[[1, 2]], [[1], None]], pa.list_(FLOATS)), "found lists of several lengths"),
        (pa.array([[1, 2], None], FLOATS), "takes an array; found NoneType"),
    ],
)
def test_rows_that_are_no_array_have_errors_of_their_own(folder: Path, values: Any, found: str) -> None:
    parquet.write_table(pa.table({"x": values}), folder / "in/a.parquet")
    rows = over(folder, "parquet", record=True)
    assert len(rows) == len(values) and found in rows[1]["error"] and rows[1]["y"] is None
    assert values.type == pa.list_(FLOATS) or rows[0]["y"] == [2, 4]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1], None, [2, None]], pa.list_(pa.int32())),
        pa.array([[1.5, None], [], None], FLOATS),
        pa.array([[[1], [2, 3]], [None], []], pa.list_(pa.list_(pa.int8()))),
        pa.array([[1], [2], None], pa.list_(pa.timestamp("us", "UTC"))),
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12, dtype=np.float32).reshape(3, 2, 2)),
    ],
    ids=["nulls", "nulls of floats", "lengths", "timestamps", "tensors"],
)
def test_what_is_kept_is_as_it_was(folder: Path, values: Any) -> None:
    parquet.write_table(pa.table({"x": GOOD, "kept": values}), folder / "in/a.parquet")
    over(folder, "parquet", "kept")
    assert parquet.read_table(folder / "out/a.parquet")["kept"].combine_chunks() == values


def test_two_columns_of_one_name_are_refused(folder: Path) -> None:
    parquet.write_table(pa.Table.from_arrays([GOOD, GOOD], names=["x", "x"]), folder / "in/a.parquet")
    with pytest.raises(JobError, match=r"a.parquet has two columns that are called x; it has x, x"):
        over(folder, "parquet")


# tars
def npy(number: float) -> bytes:
    file = io.BytesIO()
    np.save(file, np.float32([number, number]))
    return file.getvalue()


def tar(path: Path, names: Sequence[str], mode: Any = "w", **options: Any) -> bytearray:
    with tarfile.open(path, mode, **options) as file:
        for number, name in enumerate(names):
            data = npy(number)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return bytearray(path.read_bytes())


NAMES = [f"{number}.x.npy" for number in range(4)]
MEMBER = 1024
"""Bytes of a member of these tars: its header and its padded content."""


def header_damaged(data: bytearray) -> None:
    data[2 * MEMBER + 5] ^= 255


def cut_between_members(data: bytearray) -> None:
    del data[2 * MEMBER :]


def cut_in_a_header(data: bytearray) -> None:
    del data[2 * MEMBER + 100 :]


@pytest.mark.parametrize("damage", [header_damaged, cut_between_members, cut_in_a_header])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_damaged_tar_is_not_a_shorter_one(folder: Path, damage: Callable[[bytearray], None], zipped: bool) -> None:
    data = tar(folder / "in/a.tar", NAMES)
    assert len(over(folder, "tar")) == 4
    damage(data)
    (folder / "in/b.tar").write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(JobError, match=r"1 of 2 shards failed(?s:.*)b.tar cannot be read: it is damaged .* byte 2,048"):
        over(folder, "tar")


def test_the_checksum_of_gzip_is_looked_at(folder: Path) -> None:
    data = tar(folder / "in/a.tar.gz", NAMES, "w:gz")
    assert len(over(folder, "tar")) == 4
    data[-6] ^= 255
    (folder / "in/b.tar.gz").write_bytes(data)
    with pytest.raises(JobError, match="CRC check failed"):
        over(folder, "tar")


def test_a_link_in_a_tar_is_no_sample_that_is_left_out(folder: Path) -> None:
    with tarfile.open(folder / "in/a.tar", "w") as file:
        member = tarfile.TarInfo("2.x.npy")
        member.type, member.linkname = tarfile.LNKTYPE, "0.x.npy"
        file.addfile(member)
    with pytest.raises(JobError, match=r"a.tar: 2.x.npy is a link or a device, not a file"):
        over(folder, "tar")


def test_text_and_names_in_a_tar_that_are_not_utf8_are_named(folder: Path) -> None:
    tar(folder / "in/a.tar", [os.fsdecode(b"\xff.x.npy")], format=tarfile.GNU_FORMAT)
    tar(folder / "in/b.tar", ["1.txt", "1.x.npy"])
    with pytest.raises(JobError) as raised:
        over(folder, "tar")
    assert r"'\udcff.x.npy' in " in raised.value.failed["a.tar"] and "rename it" in raised.value.failed["a.tar"]
    assert "b.tar, row 1: 1.txt is not text in UTF-8" in raised.value.failed["b.tar"]


def test_odd_names_in_a_tar_are_samples(folder: Path) -> None:
    names = ["README", "._0.x.npy", "/abs/0.x.npy", "../1.x.npy", "dir.with.dots/2.x.npy", "é/日本.x.npy"]
    tar(folder / "in/a.tar", names)
    found = [(row["key"], row["y"]) for row in over(folder, "tar")]
    assert found == [("/abs/0", [4, 4]), ("../1", [6, 6]), ("dir.with.dots/2", [8, 8]), ("é/日本", [10, 10])]


@pytest.mark.parametrize("damaged", [npy(1).replace(b"}", b"{"), npy(1)[:-1], b"", b"junk"])
def test_a_damaged_array_is_an_error_of_its_sample(folder: Path, damaged: bytes) -> None:
    with tarfile.open(folder / "in/a.tar", "w") as file:
        for name, data in {"0.x.npy": npy(0), "1.x.npy": damaged, "1.txt": b"kept", "2.x.npy": npy(2)}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    with pytest.raises(JobError, match=r"a.tar, row 1: 1.x.npy is not a .npy file of numbers"):
        over(folder, "tar")
    shutil.rmtree(folder / "out")
    rows = over(folder, "tar", record=True)
    assert [row["y"] for row in rows] == [[0, 0], None, [4, 4]]
    assert rows[1]["error"].startswith("1.x.npy is not a .npy file of numbers") and rows[0]["error"] is None


def test_arrays_of_a_tar_are_not_kept(folder: Path) -> None:
    tar(folder / "in/a.tar", ["0.x.npy"])
    with pytest.raises(JobError, match=r"--keep x\.npy: arrays of a tar are not kept"):
        over(folder, "tar", "x.npy")


def test_damaged_text_beside_an_array_is_an_error_of_its_sample(folder: Path) -> None:
    tar(folder / "in/a.tar", ["0.x.npy", "1.txt", "1.x.npy", "2.x.npy"])
    rows = over(folder, "tar", record=True)
    assert [row["y"] is None for row in rows] == [False, True, False]
    assert rows[1]["error"].startswith("1.txt is not text in UTF-8")


# images
@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_pixels_of_more_than_8_bits_are_not_cut_off(mode: str) -> None:
    from trtnet.tools.batch.images import decoded

    file = io.BytesIO()
    Image.new(mode, (4, 4), 300).save(file, "TIFF")
    with pytest.raises(InputError, match=r"more than 8 bits \(Pillow's mode .*--prepare"):
        decoded(file.getvalue(), 1)


def test_the_error_of_what_is_no_image_is_the_same_in_each_run() -> None:
    from trtnet.tools.batch.images import decoded

    with pytest.raises(InputError, match=r"that can be decoded: cannot identify image file$"):
        decoded(b"junk", 1)


def test_whatever_pillow_raises_is_that_it_cannot_be_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from trtnet.tools.batch.images import decoded

    def raising(*_: object) -> None:
        raise NotImplementedError("Unimplemented pixel format 0")

    monkeypatch.setattr(Image, "open", raising)
    with pytest.raises(InputError, match="not an image that can be decoded: Unimplemented pixel format 0"):
        decoded(b"DDS ", 3)


# folders
def test_two_files_whose_results_would_have_one_name_are_refused(folder: Path) -> None:
    for name in ("a.parquet", "a.PARQUET"):
        parquet.write_table(pa.table({"x": GOOD}), folder / "in" / name)
    with pytest.raises(InputError, match=r"a.PARQUET and of a.parquet would have one name: rename one of them"):
        over(folder, "parquet")
    (folder / "in/a.PARQUET").rename(folder / "a.PARQUET")
    over(folder, "parquet")
    (folder / "a.PARQUET").rename(folder / "in/a.PARQUET")
    with pytest.raises(InputError, match=r"a.parquet and of a.PARQUET would have one name"):
        over(folder, "parquet")


def test_files_of_others_among_the_results_are_not_written_over(folder: Path) -> None:
    written(folder / "in", 2)
    (folder / "out").mkdir()
    (folder / "out/001.parquet").write_text("mine")
    with pytest.raises(InputError, match=r"out/001.parquet is there already, and no run of this job wrote it"):
        run_job(job(folder), here)
    assert (folder / "out/001.parquet").read_text() == "mine" and not (folder / "out/000.parquet").exists()


def test_links_are_followed_and_no_folder_is_looked_at_twice(folder: Path) -> None:
    (folder / "else").mkdir()
    for place in ("in/a.npz", "else/b.npz"):
        np.savez(folder / place, x=np.float32([[1, 2]]))
    (folder / "in/linked").symlink_to(folder / "else")
    (folder / "in/round").symlink_to(folder / "in")
    assert [source.path for source in find(folder / "in", None)[1]] == ["a.npz", "linked/b.npz"]
    (folder / "in/c.npz").symlink_to(folder / "gone")
    with pytest.raises(InputError, match=r"in/c.npz is a link to .*gone, which is not there"):
        find(folder / "in", None)


def test_a_name_that_is_not_utf8_is_refused(folder: Path) -> None:
    with open(os.path.join(os.fsencode(folder / "in"), b"a\xfe.npz"), "wb") as file:  # noqa: PTH118, PTH123
        np.savez(file, x=np.float32([[1, 2]]))
    with pytest.raises(InputError, match=r"'a\\udcfe.npz' in .* is not UTF-8, as the results need it: rename it"):
        over(folder, "npz")


def test_a_file_that_changes_while_the_job_runs_is_done_again(folder: Path) -> None:
    written(folder / "in", 3)

    def changing(this: Job, shards: Sequence[Shard]) -> Iterator[Outcome]:
        rows = parquet.read_table(folder / "in/001.parquet")
        parquet.write_table(rows.slice(0, 2), folder / "in/001.parquet")
        yield from here(this, shards)

    with pytest.raises(JobError, match=r"1 of 3 shards failed(?s:.*)001.parquet changed while the job ran"):
        run_job(job(folder), changing)  # type: ignore[arg-type]
    assert (done := run_job(job(folder), here)).before == 2 and done.rows == 12


# the ledger
LEDGER = "out/.trtnet/ledger.jsonl"


@pytest.mark.parametrize(
    ("was", "now", "line"),
    [
        (b'"job": {', b'"job": [], "old": {', 1),
        (b'"options"', b'"opinions"', 1),
        (b'"rows": 5', b'"rows": "x"', 2),
        (b'"name": "000"', b'"name": 7', 2),
        (b'"staged"', b'"sta\xffed"', 2),
        (b'}\n{"shard"', b'}\n\n{"shard"', 2),
    ],
)
def test_a_damaged_ledger_says_where_and_what_to_do(folder: Path, was: bytes, now: bytes, line: int) -> None:
    written(folder / "in", 1)
    run_job(job(folder), here)
    data = (folder / LEDGER).read_bytes()
    assert was in data
    (folder / LEDGER).write_bytes(data.replace(was, now, 1))
    with pytest.raises(InputError, match=rf"ledger.jsonl, line {line}, is not what .* or remove .*out to begin anew"):
        run_job(job(folder), here)
    (folder / LEDGER).write_bytes(data)
    assert run_job(job(folder), here).before == 1


def test_a_ledger_that_is_lost_loses_no_results(folder: Path) -> None:
    written(folder / "in", 1)
    run_job(job(folder), here)
    (folder / LEDGER).write_bytes(b"")
    with pytest.raises(InputError, match=r"000.parquet is there already"):
        run_job(job(folder), here)


def test_results_that_were_cut_off_are_not_finished(folder: Path) -> None:
    written(folder / "in", 1)
    run_job(job(folder), here)
    size = (folder / "out/000.parquet").stat().st_size
    os.truncate(folder / "out/000.parquet", 100)
    with pytest.raises(InputError, match=rf"000.parquet has 100 bytes, not {size:,}, which .*ledger.jsonl says is fin"):
        run_job(job(folder), here)
