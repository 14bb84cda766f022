"""`trtnet batch`: whatever ends a job in the middle, the next run makes of it what an undisturbed one does."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tools.batches import Doubling, check_results, job, written

from trtnet.support.errors import FileError, InputError, ModelError, TrtnetError
from trtnet.tools.batch import job as jobs, ledger as ledgers
from trtnet.tools.batch.job import JobError, here, in_processes, run_job
from trtnet.tools.batch.ledger import Ledger, opened, staging
from trtnet.tools.batch.shards import Shard, Source, find, plan
from trtnet.tools.batch.work import Job, Outcome, Worker

pytest.importorskip("pyarrow", reason="results are Parquet, which needs pyarrow: pip install 'trtnet[batch]'")

SHARDS = 4


class Killed(BaseException):
    """What ends a process in these tests, where nothing catches it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path / "in", SHARDS)
    return tmp_path


def finish(folder: Path) -> None:
    """The next run, undisturbed."""
    run_job(job(folder), here)
    check_results(folder / "out", SHARDS)
    assert {path.name for path in (folder / "out/.trtnet").iterdir()} <= {"ledger.jsonl", "job.lock"}


def test_all_rows_are_done_and_the_next_run_has_nothing_to_do(folder: Path) -> None:
    told: list[str] = []
    first = run_job(job(folder), here, told=told.append)
    assert (first.shards, first.before, first.rows, first.errors) == (SHARDS, 0, 5 * SHARDS, 0)
    assert [text.split(",")[0] for text in told] == [f"{n} of {SHARDS} shards" for n in range(1, SHARDS + 1)]
    check_results(folder / "out", SHARDS)

    class Unopened(Doubling):
        def open(self, device: int = 0) -> Any:
            raise AssertionError("nothing is left to do")

    assert run_job(job(folder, Unopened()), here).before == SHARDS
    check_results(folder / "out", SHARDS)


@pytest.mark.parametrize("at", ["staged", "entered", "published", "half a line"])
def test_a_driver_that_is_killed_loses_nothing_and_does_nothing_twice(
    folder: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, publish = Ledger._append, Ledger._publish

    def killing_append(self: Ledger, entry: Any) -> None:
        if len(self.finished) == 2 and at == "staged":
            raise Killed
        append(self, entry)
        if len(self.finished) == 2 and at == "half a line":
            with (folder / "out/.trtnet/ledger.jsonl").open("r+b") as file:
                file.truncate(self._size - 7)
            raise Killed

    def killing_publish(self: Ledger, done: Any) -> None:
        if len(self.finished) == 3 and at == "entered":
            raise Killed
        publish(self, done)
        if len(self.finished) == 3 and at == "published":
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_append", killing_append)
        patched.setattr(Ledger, "_publish", killing_publish)
        with pytest.raises(Killed):
            run_job(job(folder), here)
    done: list[str] = []

    def noted(this: Job, shards: Sequence[Shard]) -> Any:
        done.extend(shard.name for shard in shards)
        return here(this, shards)

    run_job(job(folder), noted)
    assert len(done) == (1 if at in ("entered", "published") else 2)
    finish(folder)


@pytest.mark.parametrize("where", ["results", "ledger"])
def test_a_full_disk_ends_the_job_which_then_goes_on(folder: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from trtnet.tools.batch.results import ResultsFile

    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    add, fsync = ResultsFile.add, os.fsync
    calls: list[int] = []

    def failing(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) > (7 if where == "results" else 6):
            raise full
        (add if where == "results" else fsync)(*arguments)

    with monkeypatch.context() as patched:
        if where == "results":
            patched.setattr(ResultsFile, "add", failing)
        else:
            patched.setattr(ledgers.os, "fsync", failing)
        with pytest.raises(TrtnetError, match="No space left on device") as raised:
            run_job(job(folder), here)
    assert isinstance(raised.value, FileError) == (where == "ledger")
    assert len(list((folder / "out").glob("*.parquet"))) == (1 if where == "results" else 2)
    finish(folder)


def test_a_shard_that_fails_is_said_and_the_others_are_finished(folder: Path) -> None:
    good = (folder / "in/001.parquet").read_bytes()
    (folder / "in/001.parquet").write_bytes(good[:50])
    with pytest.raises(JobError, match=r"(?s)1 of 4 shards failed.*001.parquet is not a Parquet file") as raised:
        run_job(job(folder), here)
    assert [*raised.value.failed] == ["001.parquet"]
    assert len(list((folder / "out").glob("*.parquet"))) == 3 and not list(staging(folder / "out").glob("*"))
    (folder / "in/001.parquet").write_bytes(good)
    finish(folder)


def test_a_model_that_does_not_open_ends_the_job(folder: Path) -> None:
    class Broken(Doubling):
        def open(self, device: int = 0) -> Any:
            raise ModelError("no such model")

    with pytest.raises(TrtnetError, match=r"(?s)no such model.*0 of 4 shards are finished"):
        run_job(job(folder, Broken(), record=True), here)
    finish(folder)


def test_results_of_others_are_refused(folder: Path) -> None:
    finish(folder)
    with pytest.raises(InputError, match=r"another job: record was False, now it is True"):
        run_job(job(folder, record=True), here)
    (folder / "out/.trtnet/ledger.jsonl").write_text("[]\n")
    with pytest.raises(
        InputError, match=r"ledger.jsonl, line 1, is not what trtnet writes.*remove .*out to begin anew"
    ):
        run_job(job(folder), here)


def test_two_jobs_do_not_write_one_folder(folder: Path) -> None:
    def nested(this: Job, shards: Sequence[Shard]) -> Iterator[Outcome]:
        with pytest.raises(InputError, match="another process is writing"):
            run_job(this, here)
        yield from here(this, shards)

    run_job(job(folder), nested)  # type: ignore[arg-type]
    finish(folder)


def test_what_changed_or_is_gone_is_said(folder: Path) -> None:
    finish(folder)
    (folder / "out/002.parquet").rename(folder / "saved")
    with pytest.raises(InputError, match=r"002.parquet is gone"):
        run_job(job(folder), here)
    (folder / "saved").rename(folder / "out/002.parquet")
    os.utime(folder / "in/003.parquet", ns=(0, 0))
    with pytest.raises(InputError, match=r"003.parquet changed after its results were written"):
        run_job(job(folder), here)


def test_results_are_not_written_among_the_inputs(folder: Path) -> None:
    with pytest.raises(InputError, match="among the inputs"):
        run_job(Job(Doubling(), folder / "in", folder / "in/out", "parquet"), here)


def test_files_that_come_later_are_done_later(folder: Path) -> None:
    finish(folder)
    written(folder / "new", SHARDS + 2)
    for index in (SHARDS, SHARDS + 1):
        (folder / f"new/{index:03}.parquet").rename(folder / f"in/{index:03}.parquet")
    assert run_job(job(folder), here).before == SHARDS
    check_results(folder / "out", SHARDS + 2)


def test_images_keep_their_shards() -> None:
    sources = [Source(f"{name}.png", 1, 1) for name in "abcdefg"]
    first = plan("images", sources[1:6], {}, 2)
    assert [(shard.name, [file.path[0] for file in shard.files]) for shard in first] == [
        ("images-00000", ["b", "c"]), ("images-00001", ["d", "e"]), ("images-00002", ["f"]),
    ]  # fmt: skip
    finished = {shard.name: shard for shard in (first[0], first[2])}
    later = plan("images", sources, finished, 2)
    assert [(shard.name, [file.path[0] for file in shard.files]) for shard in later] == [
        ("images-00003", ["a", "d"]), ("images-00004", ["e", "g"]),
    ]  # fmt: skip


def test_the_files_of_a_folder(folder: Path) -> None:
    (folder / "in/deep").mkdir()
    (folder / "in/.hidden").mkdir()
    for name in ("deep/a.PARQUET", ".hidden/b.parquet", ".c.parquet", "notes.txt"):
        (folder / "in" / name).touch()
    kind, sources = find(folder / "in", None)
    assert kind == "parquet"
    assert [source.path for source in sources] == [*(f"{n:03}.parquet" for n in range(4)), "deep/a.PARQUET"]
    (folder / "in/a.tar").touch()
    with pytest.raises(InputError, match="parquet and tar; choose one with --kind"):
        find(folder / "in", None)
    assert [source.path for source in find(folder / "in", "tar")[1]] == ["a.tar"]
    with pytest.raises(InputError, match=r"no files that end in .npz"):
        find(folder / "in", "npz")
    with pytest.raises(InputError, match="unknown kind"):
        find(folder / "in", "csv")


def test_names_that_are_nowhere_are_found_before_the_start(folder: Path) -> None:
    """Not once a shard."""
    from dataclasses import replace

    from trtnet.tools.batch.inputs import InputOptions

    def unused(this: Job, shards: Sequence[Shard]) -> Any:
        raise AssertionError("it began")

    (folder / "p.py").write_text("def f(row):\n    return row['nosuch']\n")
    wrong = {
        r"--keep nosuch: .*000.parquet has no such field; it has x, id": {"keep": ("id", "nosuch")},
        r"--column x=nosuch: .*000.parquet has no such field; it has x, id": {"inputs": InputOptions({"x": "nosuch"})},
        r"p.py has no function 'g'; .*f": {"inputs": InputOptions(prepare=f"{folder}/p.py:g")},
        r"there is no folder .*nowhere": {"folder": folder / "nowhere"},
    }
    for text, options in wrong.items():
        with pytest.raises((InputError, ModelError), match=text):
            run_job(replace(job(folder), **options), unused)  # type: ignore[arg-type]
    (folder / "in/000.parquet").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"--keep nosuch: .*001.parquet has no such field"):
        run_job(replace(job(folder), keep=("nosuch",)), unused)


def test_what_a_function_of_the_user_raises_says_where(folder: Path) -> None:
    from dataclasses import replace

    from trtnet.tools.batch.inputs import InputOptions

    (folder / "p.py").write_text("def f(row):\n    return {'x': row['x'] / {}[3]}\n")
    inputs = InputOptions(prepare=f"{folder}/p.py:f")
    with pytest.raises(JobError) as raised:
        run_job(replace(job(folder), inputs=inputs), here)
    assert "000.parquet: --prepare" in str(raised.value) and "KeyError: 3" in str(raised.value)
    assert "p.py:2   return {'x': row['x'] / {}[3]}" in str(raised.value)


# in processes
def test_a_worker_that_is_killed_is_replaced_and_only_a_shard_that_kills_all_of_them_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ATTEMPTS", 2)
    model = Doubling(kills_once=6.0, once=str(folder / "killed"), kills=12.0)
    with pytest.raises(JobError, match=r"(?s)1 of 4 shards failed.*002.parquet: its process ended with exit code -9"):
        run_job(job(folder, model), in_processes((0,), 1))
    assert (folder / "killed").exists() and len(list((folder / "out").glob("*.parquet"))) == 3
    finish(folder)


def test_a_job_that_is_killed_goes_on(folder: Path) -> None:
    script = (
        "from pathlib import Path; from helpers.tools.batches import Doubling, job;"
        "from trtnet.tools.batch.job import here, run_job;"
        f"run_job(job(Path({str(folder)!r}), Doubling(kills=12.0)), here)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment)
    assert done.returncode == -9 and len(list((folder / "out").glob("*.parquet"))) == 2
    assert list(staging(folder / "out").iterdir()), "what was half written"
    finish(folder)


def test_a_worker_is_sent_without_its_model(folder: Path) -> None:
    import pickle

    ledger = folder / "out"
    with opened(ledger, {}):
        worker = Worker(job(folder))
        outcome = worker(Shard("000", (find(folder / "in", None)[1][0],)))
        assert outcome.finished is not None and outcome.finished.rows == 5
        assert pickle.loads(pickle.dumps(worker)).__dict__ == {"job": job(folder), "device": 0}
        assert np.array_equal([path.stat().st_size for path in staging(ledger).iterdir()], [outcome.finished.nbytes])
