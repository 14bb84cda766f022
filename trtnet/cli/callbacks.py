"""What options are read and checked by at once, so that what is mistyped is an error before the work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
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


def suite(file: Path | None) -> Path | None:
    """JUnit's XML that a command writes at its end; as :func:`writable`."""
    from trtnet.support.files import check_suffix

    if file is not None:
        check_suffix(file, (".xml",), "JUnit's report")
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


WRITTEN = (
    "output", "out", "html", "junit", "json", "plot", "save", "save_inputs", "save_outputs", "export_times",
    "export_profile", "export_output", "export_layer_info",
)  # fmt: skip
"""The parameters of commands that name a file to write."""


def check_apart(given: Mapping[str, Any]) -> None:
    """Raises InputError where a file that a command writes is one that it reads, or is named twice.

    given: its parameters. The engine of ``refit`` may be replaced.
    """
    from trtnet.support.errors import InputError

    targets = {name: str(given[name]) for name in WRITTEN if given.get(name) and given[name] != "-"}
    read = [(name, text) for name, value in given.items() if name not in targets for text in _named(value)]
    for target, path in targets.items():
        for source, text in read:
            if _is_same(path, text) and (target, source) != ("output", "engine"):
                raise InputError(f"{path} would replace what is read from {text}: write to another file")
    written = [*targets.values()]
    if doubled := next((path for path in written if written.count(path) > 1), None):
        raise InputError(f"{doubled} would be written twice: give each result a file of its own")


def _named(value: Any) -> Iterator[str]:
    """What may be a file in the value of a parameter: all of it, and the parts of ``name=file.py:factory``."""
    for each in value if isinstance(value, list | tuple) else (value,):
        if isinstance(each, str | Path) and str(each):
            yield from dict.fromkeys([str(each), *filter(None, re.split("[=:]", str(each)))])


def _is_same(target: str, text: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(text).is_file() and Path(target).samefile(text)
    return False
