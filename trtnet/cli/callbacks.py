"""What options are read and checked by at once, so that what is mistyped is an error before the work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def writable(file: str | None) -> str | None:
    """A file that a command writes at its end; a place that cannot be written is an error before the work."""
    from trtnet.support.files import check_writable

    if file is not None and file != "-":
        check_writable(file)
    return file


def page(file: Path | None) -> Path | None:
    """An HTML page that a command writes at its end; as :func:`writable`."""
    from trtnet.support.files import check_page

    if file is not None:
        check_page(file)
        writable(str(file))
    return file


def arrays(file: Path | None) -> Path | None:
    """A file of one call's arrays that a command writes at its end; as :func:`writable`."""
    from trtnet.support.files import check_arrays

    if file is not None:
        check_arrays(file)
        writable(str(file))
    return file


def parsed(how: str, *given: Any) -> Callable[[Any], Any]:
    """A callback of typer that reads an option at once, so that what is mistyped is an error before the work.

    how: the function of ``trtnet.tools.targets.arguments`` that reads it; given: its further arguments.
    """

    def read(value: Any) -> Any:
        from trtnet.tools.targets import arguments

        if value:
            getattr(arguments, how)(value, *given)
        return value

    return read


def existing(file: str | None) -> str | None:
    """A checkpoint that a command reads; one that is not there is an error before the work."""
    if file is None or file.startswith("trtnet:") or Path(file).exists():
        return file
    from trtnet.support.errors import CheckpointError
    from trtnet.support.text.did_you_mean import did_you_mean

    folder = Path(file).parent
    near = did_you_mean(Path(file).name, [each.name for each in folder.iterdir()] if folder.is_dir() else [])
    raise CheckpointError(f"cannot read the checkpoint {file}: No such file or directory{near and f'; {near}'}")
