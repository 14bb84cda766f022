"""What TensorRT says, brought where it can be read: Python's logging, and an error recorder.

TensorRT reports a bad layer or a failed build to the error recorder of its builder or network if one is
set, else to its logger. trtnet sets both: the recorder's words go into the exceptions it raises, the
logger's go to the ``trtnet.tensorrt`` logger of the standard library.
"""

from __future__ import annotations

import logging
import re
from itertools import accumulate

from trtnet.support.backend import trt

log = logging.getLogger("trtnet.tensorrt")

_LEVELS = {
    trt.ILogger.Severity.INTERNAL_ERROR: logging.CRITICAL,
    trt.ILogger.Severity.ERROR: logging.ERROR,
    trt.ILogger.Severity.WARNING: logging.WARNING,
    trt.ILogger.Severity.INFO: logging.INFO,
    trt.ILogger.Severity.VERBOSE: logging.DEBUG,
}

# A machine without a driver adds this line to every report of an error; it says nothing of the error.
_NO_DRIVER = re.compile(r"cudaError 35\b|CUDA driver version is insufficient")
# What TensorRT says when attributes of a layer with dynamic sizes are read: nothing is wrong.
_READ = re.compile(r"returning -1 for nbScales|get\w+ works only for static|Resize scale factors are not set")
_LOCATION = re.compile(r"\s*\(In \w+ at /[^()]*\)|\s*In \w+ at /[^()]*|\s*\(/[^()]*:\d+\)")
_PREFIX = re.compile(r"^(\[?[\w:.<>~]+\]?: ?)?Error Code:? ?\d+: (API Usage Error )?|^ITensor::getDimensions: ")


class Logger(trt.ILogger):  # type: ignore[misc]
    """Routes TensorRT's messages to ``logging.getLogger("trtnet.tensorrt")``."""

    def __init__(self) -> None:
        super().__init__()

    def log(self, severity: trt.ILogger.Severity, message: str) -> None:
        if not (_NO_DRIVER.search(message) or _READ.search(message)):
            log.log(_LEVELS[severity], message)


class ErrorRecorder(trt.IErrorRecorder):  # type: ignore[misc]
    """Keeps the errors TensorRT reports until somebody takes them."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: list[tuple[trt.ErrorCodeTRT, str]] = []

    def take(self) -> list[str]:
        """What was reported since the last call, one cleaned line an error, repetitions left out."""
        lines = [clean(text) for _, text in self._errors if not _NO_DRIVER.search(text)]
        self._errors.clear()
        return list(dict.fromkeys(lines))

    def lines(self) -> str:
        """The same as lines of a message, to follow its headline."""
        return "".join(f"\n  TensorRT: {text}" for text in self.take())

    def num_errors(self) -> int:
        return len(self._errors)

    def get_error_code(self, index: int) -> trt.ErrorCodeTRT:
        return self._errors[index][0]

    def get_error_desc(self, index: int) -> str:
        return self._errors[index][1]

    def has_overflowed(self) -> bool:
        return False

    def clear(self) -> None:
        self._errors.clear()

    def report_error(self, code: trt.ErrorCodeTRT, description: str) -> bool:
        self._errors.append((code, description))
        return False


def clean(text: str) -> str:
    """An error text without TensorRT's source locations and code prefixes."""
    words = " ".join(_PREFIX.sub("", _LOCATION.sub("", text)).split())
    return words[1:-1] if _is_bracketed(words) else words


def _is_bracketed(words: str) -> bool:
    """Whether one pair of brackets is around all of it."""
    depths = list(accumulate(1 if letter == "(" else -1 if letter == ")" else 0 for letter in words))
    return words.startswith("(") and depths.index(0) == len(words) - 1 if 0 in depths else False


logger = Logger()
"""The one logger of the process: TensorRT keeps the first it is given."""
