"""Versions: which trtnet this is, and how those of others compare."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version as installed_version


def version() -> str:
    """The version of the installed package; "unknown" where trtnet is imported without being installed."""
    try:
        return installed_version("trtnet")
    except PackageNotFoundError:
        return "unknown"


def release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, to compare: ``"1.6.1.post1"`` -> (1, 6, 1)."""
    numbers: list[int] = []
    for part in version.split("+")[0].split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
