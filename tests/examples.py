"""Runs every program in docs/examples on the CPU, and prints its answer and how long it took: `make examples`.

What a program writes goes to a temporary folder. Exit code 1 if one fails.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import time
import traceback
from pathlib import Path

from helpers.originals import import_torchvision

EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("*.py"))


def run(path: Path) -> bool:
    """Whether a program ended well."""
    print(f"\n== {path.name}", flush=True)
    begin = time.monotonic()
    sys.argv = [str(path)]
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        if end.code:
            print(f"   it ended with {end.code}")
            return False
    except Exception:
        traceback.print_exc()
        return False
    print(f"   {time.monotonic() - begin:.1f} s", flush=True)
    return True


def main() -> None:
    begin = time.monotonic()
    import_torchvision()  # some programs use it
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        failed = [path.name for path in EXAMPLES if not run(path)]
        os.chdir(EXAMPLES[0].parent)
    print(f"\n{len(EXAMPLES)} examples in {time.monotonic() - begin:.0f} s")
    if failed:
        print(f"failed: {', '.join(failed)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
