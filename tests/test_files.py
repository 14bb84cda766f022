"""Files are whole or not there, whatever stands at their place, and an error says which could not be written."""

from __future__ import annotations

import errno
import os
import resource
import stat
import threading
from pathlib import Path

import pytest

from trtnet.support.errors import FileError
from trtnet.support.files import atomic_write, check_writable


def write(path: Path, content: bytes = b"new") -> None:
    check_writable(path)
    with atomic_write(path) as file:
        file.write(content)


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name, before in (("old", b"old"), ("none", None)):
        target = tmp_path / "there" / name
        if before is not None:
            target.write_bytes(before)
        (tmp_path / name).symlink_to(target)
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink() and target.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["none", "none", "old", "old", "there"]


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(FileError, match=r"cannot write .*/a: Too many levels of symbolic links"):
        write(tmp_path / "a")
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(pipe)
    reader.join(10)
    assert read == [b"new"] and stat.S_ISFIFO(pipe.stat().st_mode)
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


def test_a_device_stays_one(tmp_path: Path) -> None:
    node = tmp_path / "null"
    try:
        os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        node.write_bytes(b"")
    except PermissionError:
        pytest.skip("no devices can be made here")
    write(node)
    assert stat.S_ISCHR(node.stat().st_mode) and [p.name for p in tmp_path.iterdir()] == ["null"]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for function in (write, lambda path: atomic_write(path).__enter__()):
        with pytest.raises(FileError, match=r"cannot write .*folder: Is a directory"):
            function(tmp_path / "folder")


def test_a_name_that_is_just_short_enough(tmp_path: Path) -> None:
    write(tmp_path / ("x" * 255))
    assert (tmp_path / ("x" * 255)).read_bytes() == b"new"
    with pytest.raises(FileError, match="File name too long"):
        write(tmp_path / ("x" * 256))


def test_a_file_that_grows_too_large(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(FileError) as caught, atomic_write(tmp_path / "old") as file:
            file.write(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == f"cannot write {tmp_path / 'old'}: File too large"
    assert caught.value.errno == errno.EFBIG and caught.value.filename == str(tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_an_error_of_the_block_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "x"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
