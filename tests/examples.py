"""Runs every program in docs/examples: its answer, whether it is the promised one, and how long it took.

`make examples` runs them on the CPU, `python tests/examples.py --engine [NAME]...` on a GPU. What a program
writes goes to a temporary folder. Exit code 1 if one fails, or prints something else.
"""

from __future__ import annotations

import argparse
import ast
import io
import os
import runpy
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stdout
from pathlib import Path

from helpers.docs.output import agrees
from helpers.originals import import_torchvision

EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("*.py"))


class Both(io.StringIO):
    """What is written to it is also shown, at once."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


def problem(path: Path, arguments: list[str]) -> str:
    """Why a program did not end well, or what it prints is not what it says; "" if all is well."""
    sys.argv = [str(path), *arguments]
    try:
        with redirect_stdout(Both()) as printed:
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        return f"it ended with {end.code}" if end.code else ""
    except Exception:
        traceback.print_exc()
        return "it failed"
    said = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("rints:\n")[2]
    return "" if agrees(said, printed.getvalue()) else f"it says that it prints:\n{said}"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("names", nargs="*", metavar="NAME", help="those alone")
    options.add_argument("--engine", action="store_true", help="on a GPU")
    chosen = options.parse_args()
    arguments = ["--engine"] if chosen.engine else []
    examples = [path for path in EXAMPLES if not chosen.names or path.stem in chosen.names]
    if unknown := set(chosen.names) - {path.stem for path in EXAMPLES}:
        options.error(
            f"there is no {', '.join(sorted(unknown))}; there are {', '.join(path.stem for path in EXAMPLES)}"
        )
    begin = time.monotonic()
    import_torchvision()  # some programs use it
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for path in examples:
            print(f"\n== {path.name}", flush=True)
            start = time.monotonic()
            wrong = problem(path, arguments)
            print(f"   {time.monotonic() - start:.1f} s{', FAILED: ' if wrong else ''}{wrong}", flush=True)
            failed += [path.name] if wrong else []
        os.chdir(EXAMPLES[0].parent)
    print(f"\n{len(examples)} examples in {time.monotonic() - begin:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
