"""What `trtnet quantize` shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Column, Table

from trtnet.support.text.counted import counted
from trtnet.tools.quantize.choosing import in_words
from trtnet.tools.quantize.result import ActivationRow, AttentionRow, QuantizedCheckpoint, Row

COLUMNS = ("weight", "scheme", "error", "largest input", "scale of inputs", "alone", "changes")


def cells(row: Row) -> tuple[str, ...]:
    """What is shown of a weight, by COLUMNS."""
    largest, scale = (f"{row.largest:.3g}", f"{row.scale:.3g}") if row.largest else ("-", "-")
    alone = "-" if row.alone is None else f"{row.alone:.2e}"
    changes = {"batch norm": row.folded, f"smoothed by {row.smoothed}": row.smoothed, "mean error": row.corrected}
    made = ", ".join(name for name, done in changes.items() if done) or "-"
    return row.key, row.scheme, f"{row.error:.2e}", largest, scale, alone, made


def attention_cells(row: AttentionRow) -> tuple[str, ...]:
    """The same of an attention: its magnitudes and scales are of queries, keys, probabilities and values."""
    largest, scales = (" ".join(f"{each:.3g}" for each in numbers) for numbers in (row.largest, row.scales))
    return row.name, row.scheme, "-", largest, scales, "-" if row.alone is None else f"{row.alone:.2e}", "-"


def activation_cells(row: ActivationRow) -> tuple[str, ...]:
    """The same of the operands of a sum, a concatenation or a norm."""
    shares = f"scale of {row.range}" if row.range else "-"
    return row.name, row.scheme, "-", f"{row.largest:.3g}", f"{row.scale:.3g}", "-", shares


def table(found: QuantizedCheckpoint) -> Table:
    """The quantized weights, to read."""
    picture = Table(Column("weight", overflow="fold"), *COLUMNS[1:])
    for row in found.rows:
        picture.add_row(*cells(row))
    for attention in found.attentions:
        picture.add_row(*attention_cells(attention))
    for activation in found.activations:
        picture.add_row(*activation_cells(activation))
    left = f"; {len(found.floats)} of two or more axes stay floats: {in_words(found.reasons)}" if found.floats else ""
    left += f"; in floats: {in_words(found.others)}" if found.others else ""
    picture.caption = f"{counted(len(found.rows), 'weight')} quantized{left}"
    if found.error is not None:
        picture.caption += f"\nthe outputs are off by {found.error:.2e} (relative L2) on the first calls"
    if any(alpha is not None for alpha in found.alphas):
        texts = dict.fromkeys("none" if alpha is None else f"{alpha:g}" for alpha in found.alphas)
        picture.caption += f"\nsmoothed with alpha {', '.join(texts)}"
    return picture


def to_json(found: QuantizedCheckpoint) -> dict[str, Any]:
    """The same, for a program."""
    return {
        "path": str(found.path),
        "weights": [asdict(row) for row in found.rows],
        "floats": list(found.floats),
        "reasons": dict(found.reasons),
        "others": dict(found.others),
        "error": found.error,
        "sensitive": dict(found.sensitive),
        "attentions": [asdict(row) for row in found.attentions],
        "activations": [asdict(row) for row in found.activations],
        "alpha": found.alpha,
        "alphas": list(found.alphas),
    }
