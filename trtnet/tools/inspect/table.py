"""The summary of a network, to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from trtnet.support.call_interface import TensorInfo
from trtnet.support.text.counted import counted
from trtnet.tools.inspect import forms as inspect_forms
from trtnet.tools.inspect.network import ModuleSummary, NetworkSummary
from trtnet.tools.quantities import quantity, shape

SHOWN_OUTPUTS = 3
SHOWN_KINDS = 2


def render(summary: NetworkSummary, depth: int) -> RenderableType:
    """The module tree down to a depth, and the totals."""
    has_types = any(module.type for module in summary.modules)
    table = Table(
        Column("module", overflow="fold"), Column("output", overflow="fold"),
        Column("parameters" if has_types else "weights", justify="right", no_wrap=True),
        Column("FLOPs", justify="right", no_wrap=True), Column("moved", justify="right", no_wrap=True),
        Column("layers", overflow="fold"),
    )  # fmt: skip
    usual = _usual_dtype(summary)
    for module in summary.modules:
        if module.depth <= depth:
            table.add_row(*(Text(cell) for cell in _row(module, summary.name, has_types, usual)))
    forms = inspect_forms.render(summary.forms, summary.forms_by)
    return Group(table, *([forms] if forms else []), Text(_totals(summary, usual)))


def _usual_dtype(summary: NetworkSummary) -> str:
    counts = Counter(output.dtype for module in summary.modules for output in module.outputs)
    return max(counts, key=lambda dtype: counts[dtype], default="")


def _row(module: ModuleSummary, name: str, has_types: bool, usual: str) -> list[str]:
    label = module.path.rpartition(".")[2] if module.path else name
    weights = f"{module.parameters:,}" if has_types else quantity(module.weight_bytes, "B")
    return [
        f"{'  ' * module.depth}{label} {module.type}".rstrip(),
        _outputs(module.outputs, usual),
        weights if weights != "0" else "-",
        quantity(module.flops, "") if module.flops else "-",
        quantity(module.bytes, "B") if module.bytes else "-",
        _layers(module),
    ]


def _outputs(outputs: tuple[TensorInfo, ...], usual: str) -> str:
    alike = Counter(f"{shape(x.shape)} {'' if x.dtype == usual else x.dtype}".rstrip() for x in outputs)
    lines = [text if number == 1 else f"{number} of {text}" for text, number in alike.items()]
    return "\n".join(_first(lines)) or "-"


def _first(texts: list[str]) -> list[str]:
    more = len(texts) - SHOWN_OUTPUTS
    return [*texts[:SHOWN_OUTPUTS], f"and {more} more"] if more > 0 else texts


def _layers(module: ModuleSummary) -> str:
    if len(module.layers) > SHOWN_KINDS:
        return f"{sum(module.layers.values()):,} of {len(module.layers)} kinds"
    counts = (kind if number == 1 else f"{number} {kind}" for kind, number in module.layers.items())
    return ", ".join(text.lower().replace("_", " ") for text in counts) or "-"


def _totals(summary: NetworkSummary, usual: str) -> str:
    work, model = summary.work, summary.modules[0]
    at = ", ".join(f"{name}={size}" for name, size in summary.sizes.items())
    lines = [
        f"inputs   {', '.join(_first([_counted(x, summary.sizes) for x in summary.inputs]))}",
        f"outputs  {', '.join(_first([str(x) for x in summary.outputs]))}",
    ]
    if at:
        lines.append(f"counted  at {at}{_hint(summary)}")
    if usual:
        lines.append(f"dtype    {usual} where no other stands beside the shape")
    learned = f"{counted(model.parameters, 'parameter')}, " if model.parameters else ""
    lines += [
        f"weights  {learned}{quantity(work.weight_bytes, 'B')} in the network",
        f"FLOPs    {quantity(work.flops, '')}; {quantity(model.bytes, 'B')} moved layer by layer, at least"
        f" {quantity(work.minimum_bytes, 'B')} however it is fused: {_intensity(summary)}",
        f"layers   {sum(model.layers.values()):,}: {_kinds(model.layers)}",
        f"backend  {summary.backend}",
    ]
    if work.unknown:
        lines.append(f"not all is known of {counted(len(work.unknown), 'layer')}, the first {work.unknown[0]}")
    return "\n".join(lines)


def _counted(info: TensorInfo, sizes: Mapping[str, int]) -> str:
    """An input at the sizes that are counted for, as all others are shown, and as it was declared."""
    shape = tuple(sizes.get(str(size), size) for size in info.shape)
    declared = "" if shape == info.shape else f", declared [{', '.join(map(str, info.shape))}]"
    return f"{replace(info, shape=shape)}{declared}"


def _hint(summary: NetworkSummary) -> str:
    return f" (--dim {summary.assumed[0]}=8 counts for another size)" if summary.assumed else ""


def _intensity(summary: NetworkSummary) -> str:
    work = summary.work
    return f"{work.flops / work.minimum_bytes:.3g} FLOP a byte" if work.minimum_bytes else "nothing moves"


def _kinds(layers: dict[str, int]) -> str:
    return ", ".join(f"{number} {kind.lower().replace('_', ' ')}" for kind, number in layers.items())
