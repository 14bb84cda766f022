"""PP-OCRv6 small as the package rapidocr brings it, in ONNX: `python -m trtnet.weights.packaged pp_ocr` fetches it.

The files have the networks' weights in the order in which they are used, without the names of modules.
"""

from __future__ import annotations

import re
from os import PathLike

import numpy as np

from trtnet import models
from trtnet.nn import Module
from trtnet.support.errors import CheckpointError
from trtnet.weights.onnx_file import read_onnx
from trtnet.weights.packaged import PACKAGED

WEIGHT = re.compile(r"(conv2d|linear|batch_norm2d)_\d+\.|(p2o\.pd_op|helper)\.reshape\.|auto\.cast\.9[58]$")
"""The names of weights, not of constants: the last ones are the transposed convolutions'."""
NECK = re.compile(r"neck\.(ins_conv|inp_conv_..)\.(\d)\.")


def detector(path: str | PathLike[str] | None = None) -> dict[str, np.ndarray]:
    """The weights of `models.pp_ocr_detector`. path: of the ONNX file, by default the package's.

    Raises CheckpointError if it cannot be had, and for another network's file.
    """
    return named(path or PACKAGED["pp_ocr"].fetch()[0], models.pp_ocr_detector())


def recognizer(path: str | PathLike[str] | None = None) -> dict[str, np.ndarray]:
    """The weights of `models.pp_ocr_recognizer`; takes and raises what `detector` does."""
    return named(path or PACKAGED["pp_ocr"].fetch()[1], models.pp_ocr_recognizer())


def characters(path: str | PathLike[str] | None = None) -> list[str]:
    """The text of each class of the recognizer, "" for the blank; takes and raises what `detector` does."""
    _, metadata = read_onnx(path or PACKAGED["pp_ocr"].fetch()[1])
    return ["", *metadata["character"].split("\n"), " "]


def named(path: str | PathLike[str], model: Module) -> dict[str, np.ndarray]:
    """The weights of a file under the names of the model's parameters, which it has in their order of use.

    Raises CheckpointError if the numbers or shapes of weights differ.
    """
    found = {name: array for name, array in read_onnx(path)[0].items() if WEIGHT.match(name)}
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    if len(found) != len(shapes):
        raise CheckpointError(f"{path} has {len(found)} weights; {type(model).__name__} has {len(shapes)}")
    result = {}
    for name, (theirs, array) in zip(sorted(shapes, key=_turn), found.items(), strict=True):
        array = array.T if theirs.startswith("linear") else array
        result[name] = array.reshape(-1) if len(shapes[name]) == 1 else np.ascontiguousarray(array)
        if result[name].shape != shapes[name]:
            raise CheckpointError(f"{path}: {theirs} is {list(array.shape)}; {name} is {list(shapes[name])}")
    return result


def _turn(name: str) -> tuple[int, int]:
    """When a weight is used: the neck goes from the smallest level to the largest, twice."""
    if level := NECK.match(name):
        return (1 if level[1] == "ins_conv" else 2), -int(level[2])
    return (3 if name.startswith("head.") else 0), 0
