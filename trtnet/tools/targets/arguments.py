"""What the command line writes as text: sizes, ranges, inputs and arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtnet.support import dtypes, json_text
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import ModelError
from trtnet.support.size_limit import LARGEST_SIZE

if TYPE_CHECKING:
    from trtnet.graph import Input  # needs TensorRT, without which a command looks at its options

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def dims(texts: Sequence[str]) -> dict[str, int | tuple[int, int, int]]:
    """``["batch=1:8:32", "height=224"]`` -> ranges and sizes. Raises ModelError for anything else."""
    return {
        name: _range(name, value) for name, value in _pairs(texts, "--dim", "batch=1:8:32 (min:opt:max) or batch=8")
    }


def sizes(texts: Sequence[str]) -> dict[str, int]:
    """``["batch=8"]`` -> sizes. Raises ModelError for anything else, ranges too."""
    found = dims(texts)
    for name, size in found.items():
        if not isinstance(size, int):
            raise ModelError(f"--dim {name}: one size is needed here, as in {name}={size[1]}")
    return {name: size for name, size in found.items() if isinstance(size, int)}


def lists(texts: Sequence[str]) -> dict[str, list[int]]:
    """``["batch=1,8,32"]`` -> sizes. Raises ModelError for anything else."""
    return {name: _list(name, value) for name, value in _pairs(texts, "--dim", "batch=1,8,32")}


def numbers(text: str, option: str) -> tuple[int, ...]:
    """``"0,1"`` -> numbers. Raises ModelError for anything else."""
    found = text.split(",")
    if not all(each.isdecimal() for each in found) or len({*found}) < len(found):
        raise ModelError(f"{option} is written 0,1; found {text!r}")
    return tuple(map(int, found))


def floats(text: str, option: str) -> tuple[float, ...]:
    """``"0.485,0.456,0.406"`` -> numbers. Raises ModelError for anything else."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise ModelError(f"{option} is written 0.485,0.456,0.406; found {text!r}") from error


def names(texts: Sequence[str], option: str = "--output", example: str = "expected=found") -> dict[str, str]:
    """``["logits=output"]`` -> name -> name. Raises ModelError."""
    return dict(_pairs(texts, option, example))


def literals(texts: Sequence[str]) -> dict[str, Any]:
    """``["num_classes=10", "softmax=True"]`` -> Python values; what is not a literal stays text."""
    return {name: _literal(value) for name, value in _pairs(texts, "--arg", "num_classes=10")}


def ranges(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """``["input_ids=0:30000"]`` -> low and high by input. Raises ModelError for anything else."""
    number = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
    found = [re.fullmatch(rf"([^=]+)=({number}):({number})", text) for text in texts]
    for text, match in zip(texts, found, strict=True):
        if match is None:
            raise ModelError(f"--range is written input_ids=0:30000; found {text!r}")
        if not float(match[3]) - float(match[2]) < float("inf"):
            raise ModelError(f"--range {text}: float64 cannot represent these numbers")
    check_once("--range", [match[1] for match in found if match])
    return {match[1]: (float(match[2]), float(match[3])) for match in found if match}


def factory_arguments(texts: Sequence[str], config: str | None) -> dict[str, Any]:
    """What a model's factory is given: ``--arg`` as literals has it, and the file of ``--config``."""
    return {**({} if config is None else {"config": config}), **literals(texts)}


def inputs(texts: Sequence[str], option: str = "--declare") -> dict[str, Input]:
    """``["image=batch,3,224,224:float16"]`` -> Inputs; the dtype may be left out. Raises ModelError."""
    example = "image=batch,3,224,224:float16"
    return {name: _input(f"{option} {name}={value}", value, example) for name, value in _pairs(texts, option, example)}


def dtype(text: str) -> str | dict[str, str]:
    """``"float16"``, ``"bf16"``, or a JSON file that `trtnet precision` wrote -> what ``define(dtype=...)`` takes.

    A JSON file of only module paths and dtypes will do. Raises ModelError for a file that holds neither.
    """
    if not text.endswith(".json"):
        return dtypes.get(text).name
    try:
        document = json_text.loads(Path(text).read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"--dtype {text}: cannot be read as JSON: {error}") from error
    mapping = document.get("mapping", document) if isinstance(document, dict) else None
    if not isinstance(mapping, dict) or not all(isinstance(value, str) for value in mapping.values()):
        raise ModelError(f'--dtype {text}: write what trtnet precision --json does, {{"mapping": {{"": "float16"}}}}')
    return {path: dtypes.get(name).name for path, name in mapping.items()}


def files(texts: Sequence[str]) -> dict[str, str]:
    """``["image=photo.npy"]`` -> name -> path. Raises ModelError."""
    return dict(_pairs(texts, "--input", "image=photo.npy"))


def nbytes(text: str) -> int:
    """``"4GiB"``, ``"512M"``, ``"1000"`` -> bytes, in powers of 1024. Raises ModelError."""
    found = re.fullmatch(r"(\d+)\s*([kmg]?)(i?b)?", text.strip().lower())
    if not found:
        raise ModelError(f"a size in bytes is written 1000, 512MiB or 4GiB; found {text!r}")
    return int(found[1]) * _UNITS[found[2]]


def with_sizes(specs: Mapping[str, Input], sizes: Mapping[str, Any]) -> dict[str, Input]:
    """Inputs with the dimensions that have one size made static. Raises ModelError for a size that no input has.

    Where no inputs are declared, which is an error of its own, sizes are of nothing.
    """
    if not specs:
        return {}
    _check_names(sizes, {size for spec in specs.values() for size in spec.shape if isinstance(size, str)})
    fixed = {name: size for name, size in sizes.items() if isinstance(size, int)}
    return {
        name: replace(spec, shape=tuple(fixed.get(str(size), size) for size in spec.shape))
        for name, spec in specs.items()
    }


def check_dims(sizes: Mapping[str, Any], inputs: Sequence[TensorInfo]) -> None:
    """Raises ModelError for a size that no input of a network or an engine has."""
    _check_names(sizes, {size for info in inputs for size in (*info.shape, *info.values) if isinstance(size, str)})


def _check_names(sizes: Mapping[str, Any], names: set[str]) -> None:
    if unknown := sorted(set(sizes) - names):
        known = ", ".join(sorted(names)) or "none: all axes are fixed"
        raise ModelError(f"--dim {unknown[0]}: no input has this dimension; the dynamic ones are {known}")


def _pairs(texts: Sequence[str], option: str, example: str) -> list[tuple[str, str]]:
    for text in texts:
        if not re.fullmatch(r"[^=]+=.+", text):
            raise ModelError(f"{option} is written {example}; found {text!r}")
    found = [(name, value) for name, _, value in (text.partition("=") for text in texts)]
    check_once(option, [name for name, _ in found])
    return found


def check_once(option: str, names: Sequence[str]) -> None:
    """Raises ModelError for a name that an option has twice: the last one alone would hold."""
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise ModelError(f"{option} {doubled} is given twice")


def _range(name: str, value: str) -> int | tuple[int, int, int]:
    sizes = [int(size) for size in value.split(":") if size.isdecimal()]
    if len(sizes) != value.count(":") + 1 or len(sizes) not in (1, 3):
        raise ModelError(f"--dim {name}={value}: a size is written 8, a range 1:8:32 (min:opt:max)")
    if sorted(sizes) != sizes:
        low, opt, high = sizes
        raise ModelError(f"--dim {name}={value}: min {low}, opt {opt}, max {high}; a range is ascending, as in 1:8:32")
    if max(sizes) > LARGEST_SIZE:
        raise ModelError(f"--dim {name}={value}: a size of TensorRT is at most {LARGEST_SIZE}")
    if max(sizes) == 0:
        raise ModelError(f"--dim {name}={value}: a size is at least 1; only the minimum of a range may be 0")
    return sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1], sizes[2])


def _list(name: str, value: str) -> list[int]:
    sizes = value.split(",")
    if not all(size.isdecimal() for size in sizes):
        raise ModelError(f"--dim {name}={value}: sizes are written 1,8,32")
    return [int(size) for size in sizes]


def _literal(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _input(text: str, value: str, example: str) -> Input:
    from trtnet.graph import Input

    shape, _, dtype = value.partition(":")
    sizes = [size.strip() for size in shape.split(",")]
    if wrong := next((size for size in sizes if size and not (size.isdecimal() or size.isidentifier())), None):
        raise ModelError(f"{text}: {wrong!r} is neither a size nor a name; sizes are separated by commas, {example}")
    return Input(tuple(int(size) if size.isdecimal() else size for size in sizes), dtype or None)
