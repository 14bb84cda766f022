"""What is said of an error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """title: what it is about. cause: why it happens. advice: what to do. trtnet: how it is done, or avoided, here."""

    title: str
    cause: str
    advice: str
    trtnet: str = ""
