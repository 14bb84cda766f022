"""Every TensorRT name that trtnet touches, read from its source and from what it does while networks are defined."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trtnet as package
from trtnet.graph import Network, Tensor
from trtnet.graph.layers.kinds import KINDS
from trtnet.support.backend import trt

SOURCE = Path(package.__file__).parent
LAYER_CLASSES = {"ILayer", *(kind.cls for kind in KINDS.values() if kind.cls)}

# What a variable of that name holds, file by file ("" for all files); a layer may be of any layer class.
RECEIVERS: dict[str, dict[str, str]] = {
    "builder/config.py": {"target": "IBuilderConfig"},
    "builder/build.py": {"target": "IBuilderConfig"},
    "builder/timing.py": {"config": "IBuilderConfig", "cache": "ITimingCache"},
    "builder/profiles.py": {"target": "IBuilderConfig", "profile": "IOptimizationProfile"},
    "runtime/execution/context_options.py": {"engine": "ICudaEngine", "config": "IRuntimeConfig"},
    "runtime/loaded/weight_streaming.py": {"engine": "ICudaEngine"},
    "runtime/execution/context.py": {"_trt": "IExecutionContext", "engine": "ICudaEngine", "config": "IRuntimeConfig"},
    "runtime/loaded/load_plan.py": {"maker": "Runtime"},
    "runtime/loaded/inspection.py": {"engine": "ICudaEngine", "inspector": "EngineInspector"},
    "tools/bench/other_tools/onnx_route.py": {
        "config": "IBuilderConfig",
        "profile": "IOptimizationProfile",
        "builder": "Builder",
        "network": "INetworkDefinition",
    },
    "tools/targets/networks.py": {"network": "INetworkDefinition", "tensor": "ITensor"},
    "tools/inspect/network.py": {"network": "INetworkDefinition", "tensor": "ITensor"},
    "reference/onnx.py": {"parser": "OnnxParser"},
    "reference/layers/attention.py": {"attention": "IAttention"},
    "reference/execution.py": {"iterator": "IIteratorLayer"},
    "graph/network.py": {"itensor": "ITensor"},
    "graph/adding.py": {"itensor": "ITensor", "builder": "Builder"},
    "graph/itensors.py": {"itensor": "ITensor"},
    "reference/": {"network": "INetworkDefinition"},
    "": {"layer": "layer"},
}


def in_source() -> set[str]:
    """``"Class"``, ``"Class.member"`` and ``"layer.member"`` names that stand in trtnet's source."""
    found: set[str] = set()
    files = {file.relative_to(SOURCE).as_posix(): file for file in sorted(SOURCE.rglob("*.py"))}
    gone = [prefix for prefix in RECEIVERS if not any(where.startswith(prefix) for where in files)]
    assert not gone, f"RECEIVERS names files that are not there: {gone}"
    for where, file in files.items():
        receivers = {k: v for prefix, names in RECEIVERS.items() if where.startswith(prefix) for k, v in names.items()}
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                found |= set(_names(node, receivers))
    return found


def _names(node: ast.Attribute, receivers: dict[str, str]) -> Iterator[str]:
    chain = _chain(node)
    if chain and chain[0] == "trt" and len(chain) > 1:
        yield ".".join(chain[1:3])
    elif node.attr.startswith("__"):
        return
    elif chain and chain[-2:-1] and chain[-2] in receivers and chain[0] not in ("torch", "np"):
        yield f"{receivers[chain[-2]]}.{chain[-1]}"


def _chain(node: ast.expr) -> list[str]:
    """``a.b.c`` as its names; [] for what starts with a call or an index."""
    if isinstance(node, ast.Attribute):
        before = _chain(node.value)
        return [*before, node.attr] if before else []
    return [node.id] if isinstance(node, ast.Name) else []


class Recorder:
    """Notes what `Network.add` is asked for: methods with their arguments, attributes, enum members."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.methods: set[tuple[str, frozenset[str]]] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.members: set[str] = set()
        add = Network.add

        def noted(network: Network, method: str, arguments: Any, **options: Any) -> tuple[Tensor, ...]:
            owner = type(options["of"]).__name__ if options.get("of") is not None else "INetworkDefinition"
            name = f"{owner}.{method if method.startswith('set_') else f'add_{method}'}"
            self.methods.add((name, frozenset(arguments)))
            attributes = options.get("attributes") or {}
            self.attributes |= {(name, attribute) for attribute in attributes}
            for value in (*arguments.values(), *attributes.values()):
                if hasattr(type(value), "__members__") and hasattr(trt, type(value).__name__):
                    self.members.add(f"{type(value).__name__}.{value.name}")
            return add(network, method, arguments, **options)

        monkeypatch.setattr(Network, "add", noted)
