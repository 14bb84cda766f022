"""Which module each node of an ONNX file comes from, as torch's exporter writes it into the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtnet.support.provenance import Provenance

_NODE = re.compile(r"\[ONNX Layer: (?P<name>[^\]]*)\]")
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


@dataclass(frozen=True)
class OnnxNames:
    """places: of nodes by name. types: the classes of modules by path."""

    places: Mapping[str, Provenance]
    types: Mapping[str, str]

    def place(self, metadata: str) -> Provenance | None:
        """Where a layer of the ONNX parser comes from, None if the file does not say."""
        found = _NODE.search(metadata)
        return self.places.get(found["name"]) if found else None


def read(path: str) -> OnnxNames:
    """Reads a file's graph, without its weights. Without the package onnx, or such metadata, it knows nothing."""
    try:
        import onnx
    except ImportError:
        return OnnxNames({}, {})
    graph = onnx.load(path, load_external_data=False).graph
    places: dict[str, Provenance] = {}
    types: dict[str, str] = {}
    for node in graph.node:
        written = {item.key: item.value for item in node.metadata_props}
        if "namespace" not in written:
            continue
        scopes = dict(_scopes(written["namespace"]))
        types.update(scopes)
        module = list(scopes)[-1] if scopes else ""
        places[node.name] = Provenance(module, _source(written.get("pkg.torch.onnx.stack_trace", "")))
    return OnnxNames(places, types)


def _scopes(namespace: str) -> Iterator[tuple[str, str]]:
    """``": models.ResNet/layer1: torch.nn.Sequential/add: aten.add.Tensor"`` -> ("", ResNet), (layer1, Sequential)."""
    for part in namespace.split("/")[:-1]:
        path, _, name = part.partition(": ")
        yield path, name.rpartition(".")[2]


def _source(trace: str) -> str:
    """The innermost line that is not torch's own."""
    frames: list[Any] = [frame for frame in _FRAME.finditer(trace) if "/torch/" not in frame["file"]]
    return f"{Path(frames[-1]['file']).name}:{frames[-1]['line']}" if frames else ""
