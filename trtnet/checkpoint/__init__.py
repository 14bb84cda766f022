"""Weights: opened lazily from any format PyTorch users have, matched strictly, cast once, written atomically.

Nothing here imports TensorRT, and torch is imported only to read a PyTorch file.
"""

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec
from trtnet.checkpoint.casting import cast
from trtnet.checkpoint.matching import IGNORED, match
from trtnet.checkpoint.reading import Source, open_checkpoint
from trtnet.checkpoint.writing import convert, save_safetensors

__all__ = [
    "IGNORED",
    "Array",
    "Checkpoint",
    "Source",
    "TensorSpec",
    "cast",
    "convert",
    "match",
    "open_checkpoint",
    "save_safetensors",
]
