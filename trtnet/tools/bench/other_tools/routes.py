"""The other tools' names, as a command takes them: known before anything is measured."""

from __future__ import annotations

from trtnet.support.errors import InputError

ROUTES = ("torch", "compile", "onnx")


def routes(text: str) -> tuple[str, ...]:
    """``"torch,onnx"`` -> routes. Raises InputError for one that is none."""
    found = tuple(text.split(","))
    unknown = [route for route in found if route not in ROUTES]
    if unknown:
        raise InputError(f"--against takes {', '.join(ROUTES)}; found {unknown[0]!r}")
    return found
