"""`trtnet bisect`: what the command line names, as what the library takes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trtnet.support.errors import ModelError
from trtnet.tools.targets.arguments import check_once


def renamed(texts: Sequence[str]) -> dict[str, str | tuple[str, ...]]:
    """``["layers.(\\\\d+)=h.\\\\1"]`` -> pattern -> path, or several paths with commas between them.

    Raises ModelError for anything else.
    """
    pairs = [(ours, theirs) for ours, _, theirs in (text.rpartition("=") for text in texts)]
    check_once("--name", [ours for ours, _ in pairs])
    found = dict(pairs)
    for text, pattern in zip(texts, found, strict=True):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ModelError(f"--name {text}: {pattern!r} is not a regular expression: {error}") from error
        if not pattern:
            raise ModelError(f"--name is written ours=theirs; found {text!r}")
    return {ours: tuple(theirs.split(",")) if "," in theirs else theirs for ours, theirs in found.items()}
