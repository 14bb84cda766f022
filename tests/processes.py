"""Scripts in processes of their own, which see the folders that tests import from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def output_of(script: str, folder: Path) -> str:
    """What a script prints that may import from a folder, too. It must end well, its interpreter's end with it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
