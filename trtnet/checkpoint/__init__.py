"""Weights: opened lazily from any format PyTorch users have, matched strictly, cast once, written atomically.

Nothing here imports TensorRT, and torch is imported only to read a PyTorch file.
"""

from trtnet.checkpoint.base import Array, Checkpoint, Listed, TensorSpec
from trtnet.checkpoint.casting import cast
from trtnet.checkpoint.formats.wts_file import save_wts
from trtnet.checkpoint.matching import IGNORED, match
from trtnet.checkpoint.reading import Source, check_apart, open_checkpoint
from trtnet.checkpoint.shaped import shaped
from trtnet.checkpoint.writing import convert, save_safetensors

__all__ = [
    "IGNORED",
    "Array",
    "Checkpoint",
    "Listed",
    "Source",
    "TensorSpec",
    "cast",
    "check_apart",
    "convert",
    "match",
    "open_checkpoint",
    "save_safetensors",
    "save_wts",
    "shaped",
]
