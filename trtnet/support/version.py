"""Which trtnet this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version as installed_version


def version() -> str:
    """The version of the installed package; "unknown" where trtnet is imported without being installed."""
    try:
        return installed_version("trtnet")
    except PackageNotFoundError:
        return "unknown"
