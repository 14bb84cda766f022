"""Messages of TensorRT and of what stands around it: why they come, and what to do.

The entries are data: ``messages/*.toml``, each with a regular expression and a text that it was written for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from trtnet.tools.explain.explanation import Explanation


@dataclass(frozen=True)
class Message:
    """pattern: found anywhere in a text, case aside. example: as TensorRT writes it. general: gives way to others."""

    title: str
    pattern: re.Pattern[str]
    example: str
    cause: str
    advice: str
    trtnet: str = ""
    general: bool = False


@lru_cache
def messages() -> tuple[Message, ...]:
    """All entries; the general ones last."""
    folder = resources.files(__package__).joinpath("messages")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    found = [_message(entry) for file in files for entry in tomllib.loads(file.read_text())["message"]]
    return tuple(sorted(found, key=lambda message: message.general))


def _message(entry: dict[str, Any]) -> Message:
    return Message(**{**entry, "pattern": re.compile(entry["pattern"], re.IGNORECASE)})


def explain_messages(text: str) -> Iterator[Explanation]:
    """Of the entries that are found in a text, as they come in it; of general ones, only if there is no other."""
    found = [(match.start(), message) for message in messages() if (match := message.pattern.search(text))]
    special = [entry for entry in found if not entry[1].general]
    for _, message in sorted(special or found, key=lambda entry: entry[0]):
        yield Explanation(message.title, message.cause, message.advice, message.trtnet)
