"""A checkout that was not installed: models/ and weights/ stand beside trtnet/, and are found in it from here on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import trtnet

if importlib.util.find_spec("trtnet.models") is None:
    trtnet.__path__.append(str(Path(__file__).parents[2]))
