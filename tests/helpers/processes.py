"""Scripts in processes of their own, which see the folders that tests import from."""

from __future__ import annotations

import os
import subprocess
import sys


def output_of(script: str) -> str:
    """What a script prints that may import what tests import. It must end well, its interpreter's end with it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
