"""`trtnet inspect` of an engine: what TensorRT's engine inspector says of the layers it made of a network.

Both schemas are read: TensorRT 10 lists the names of the engine's inputs and outputs under "Bindings" and writes a
tensor's "Format/Datatype" in one text; TensorRT 11 and TensorRT-RTX have "I/O Tensors", and "Format" and "Datatype".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from trtnet.support import json_text, provenance
from trtnet.support.errors import PlanError
from trtnet.support.text.counted import counted

BUILD_DETAILED = 'build it with profiling_verbosity="detailed"'
UNKNOWN = "unknown"
"""The dtype of a tensor whose text names none, as "N/A due to dynamic shapes"."""

_DTYPES = {
    "float32": r"FP32|Float|Float32",
    "float16": r"FP16|Half|Float16",
    "bfloat16": r"BF16|BFloat16",
    "float8_e4m3fn": r"FP8|Float8",
    "float8_e8m0fnu": r"E8M0",
    "float4_e2m1fn": r"FP4|Float4|FP4E2M1",
    "int64": r"Int64",
    "int32": r"Int32",
    "int8": r"Int8",
    "uint8": r"UInt8",
    "int4": r"Int4",
    "bool": r"Bool",
}
_WORDS = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _DTYPES.items()}
_PROFILE = re.compile(r" \[profile \d+\]$")


@dataclass(frozen=True)
class EngineTensor:
    """What a layer reads or writes. shape: -1 for a dynamic axis. dtype: trtnet's name. format: TensorRT's words."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    format: str


@dataclass(frozen=True)
class EngineLayer:
    """One layer of the engine, often several of the network fused.

    type: TensorRT's word, "" where the engine has only names, as are the fields that follow. modules, sources: the
    modules ("" for the model itself) and lines of the model that it comes from, where trtnet wrote them. constants:
    weights and other numbers that it holds; TensorRT's own layers say the number of their weights instead of a shape.
    """

    name: str
    type: str = ""
    inputs: tuple[EngineTensor, ...] = ()
    outputs: tuple[EngineTensor, ...] = ()
    tactic: str = ""
    modules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    constants: tuple[EngineTensor, ...] = ()


@dataclass(frozen=True)
class EngineDescription:
    """An engine. io: the names of its inputs and outputs. detailed: whether layers are more than names."""

    layers: tuple[EngineLayer, ...]
    io: tuple[str, ...]
    detailed: bool


def parse(text: str) -> EngineDescription:
    """What ``IEngineInspector.get_engine_information(LayerInformationFormat.JSON)`` gives, read.

    Raises PlanError for an engine that was built to say nothing, and for a text that is not the inspector's.
    """
    document = _document(text)
    layers = document.get("Layers") if isinstance(document, dict) else None
    if not isinstance(layers, list):
        raise PlanError("the engine inspector's text has no list of layers: it is not TensorRT's")
    if not layers:
        raise PlanError(f"the engine has no details of its layers: {BUILD_DETAILED}")
    tensors = document.get("I/O Tensors", document.get("Bindings", []))
    try:
        io = (_PROFILE.sub("", item if isinstance(item, str) else item["Name"]) for item in tensors)
        return EngineDescription(
            layers=tuple(_layer(layer) for layer in layers),
            io=tuple(dict.fromkeys(io)),
            detailed=any(isinstance(layer, dict) for layer in layers),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(
            f"a layer or tensor in the engine inspector's text is not in TensorRT's format: {error!r}"
        ) from error


def _document(text: str) -> Any:
    if not text.strip():
        raise PlanError(f"the engine has no details of its layers: {BUILD_DETAILED}")
    try:
        return json_text.loads(text, strict=False)
    except ValueError as error:
        position = getattr(error, "pos", 0)
        near = text[max(position - 60, 0) : position + 20].splitlines()
        raise PlanError(
            f"the engine inspector's text is not JSON: {error}, near {' '.join(near)!r}. Is it cut off? TensorRT does"
            f" not escape quotes in the metadata of layers; an engine of trtnet has none, one of another tool may"
        ) from error


def _layer(fields: Any) -> EngineLayer:
    if isinstance(fields, str):
        return EngineLayer(fields)
    found = provenance.read(fields.get("Metadata", ""))
    return EngineLayer(
        name=_text(fields, "Name"),
        type=_text(fields, "LayerType", ""),
        inputs=tuple(_tensor(tensor) for tensor in fields.get("Inputs", [])),
        outputs=tuple(_tensor(tensor) for tensor in fields.get("Outputs", [])),
        tactic=_text(fields, "TacticName", "") or str(fields.get("TacticValue") or ""),
        modules=tuple(dict.fromkeys(place.module for place in found)),
        sources=tuple(dict.fromkeys(place.source for place in found if place.source)),
        constants=(*map(_tensor, fields.get("Constants", [])), *_counted(fields)),
    )


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A field that is text; null is the default. Raises KeyError and TypeError."""
    found = fields[name] if default is None else fields.get(name)
    found = default if found is None else found
    if not isinstance(found, str):
        raise TypeError(f"{name} is text, found {found!r}")
    return found


def _counted(fields: Mapping[str, Any]) -> Iterator[EngineTensor]:
    """The weights of a layer of TensorRT's, of which it says how many they are."""
    for name in ("Weights", "Bias"):
        held = fields.get(name)
        if isinstance(held, dict) and held.get("Count"):
            yield EngineTensor(f"{fields['Name']} {name}", (int(held["Count"]),), _dtype(held.get("Type", "")), "")


def _tensor(tensor: Mapping[str, Any]) -> EngineTensor:
    both = tensor.get("Format/Datatype", "")
    dtype = tensor.get("Datatype", tensor.get("DataType", both))
    return EngineTensor(
        name=_text(tensor, "Name"),
        shape=tuple(int(size) for size in tensor.get("Dimensions", [])),
        dtype=_dtype(dtype),
        format=tensor.get("Format", both),
    )


def _dtype(words: str) -> str:
    return next((name for name, word in _WORDS.items() if word.search(words)), UNKNOWN)


def precisions(description: EngineDescription) -> Counter[str]:
    """How many layers write each dtype; a layer counts by its first output, one without outputs not at all."""
    return Counter(one.outputs[0].dtype for one in description.layers if one.outputs)


def render(description: EngineDescription, memory: Mapping[str, int] | None = None) -> RenderableType:
    """The layers, to read. memory: what else is known of the engine in bytes, by name."""
    picture = Table(Column("layer", overflow="fold"))
    if description.detailed:
        for column in ("type", "output", "dtype", "module"):
            picture.add_column(column, overflow="fold")
    for layer in description.layers:
        picture.add_row(*_row(layer, description.detailed))
    return Group(Text(_headline(description, memory or {})), picture)


def _row(one: EngineLayer, detailed: bool) -> list[Text]:
    """As Text: names may hold what rich takes for markup."""
    if not detailed:
        return [Text(one.name)]
    shapes = "\n".join("x".join(map(str, x.shape)) or "scalar" for x in one.outputs)
    written = "\n".join(x.dtype for x in one.outputs)
    modules = ", ".join(module or "(model)" for module in one.modules)
    return [Text(cell) for cell in (one.name, one.type, shapes, written, modules)]


def _headline(description: EngineDescription, memory: Mapping[str, int]) -> str:
    parts = [f"{counted(len(description.layers), 'layer')}"]
    parts += [f"{count} write {dtype}" for dtype, count in precisions(description).most_common()]
    parts += [f"{name} {counted(size, 'byte')}" for name, size in memory.items()]
    advice = "" if description.detailed else f"; the engine has only their names: {BUILD_DETAILED} for more"
    return ", ".join(parts) + advice


def to_json(description: EngineDescription) -> dict[str, Any]:
    """The description, for a program."""
    return {
        "detailed": description.detailed,
        "io": list(description.io),
        "precisions": dict(precisions(description)),
        "layers": [asdict(layer) for layer in description.layers],
    }
