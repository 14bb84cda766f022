"""What the doctor says of one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """ok; warning: works, with a limit; missing: not there, and trtnet works in part without it; error: broken."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"
    ERROR = "error"


@dataclass(frozen=True)
class CheckResult:
    """subject: what was looked at. found: what there is. advice: what that means and what to do, if anything.

    A line of the advice that starts with two spaces is a command to run.
    """

    subject: str
    status: Status
    found: str
    advice: str = ""
