"""What a search found, to read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rich.console import Group as Lines, RenderableType
from rich.table import Table
from rich.text import Text

from trtnet.ops.formulations import Tuning
from trtnet.support.text.counted import counted
from trtnet.tools.tune.merging import Merged
from trtnet.tools.tune.searching.contests import WHOLE, Measured, Verdict, judge
from trtnet.tools.tune.searching.recording import read

WIDTH = 60
"""Characters of what is said of a form that failed."""


def picture(tuning: Tuning, file: str | os.PathLike[str]) -> RenderableType:
    """The groups with their forms, and the whole network before and after."""
    small = small_networks(tuning)
    table = Table("operations", "modules", "form", "tried, by the time of the small network", title=headline(tuning))
    for group in tuning.groups:
        tried = small.get(group["name"], group["uncut"] or "not measured")
        table.add_row(Text(group["name"]), str(len(group["paths"])), group["chosen"] or "-", Text(tried))
    lines = [Text(f"{os.fspath(file)}: define(forms={os.fspath(file)!r})")]
    if tuning.unfinished:
        lines.append(Text(f"{tuning.unfinished}; --resume goes on"))
    return Lines(table, *lines)


def headline(tuning: Tuning) -> str:
    """The times and errors of the whole network."""
    where = f"{tuning.model} on {tuning.gpu}, {tuning.backend} {tuning.backend_version}"
    if tuning.milliseconds is None or tuning.errors is None:
        return f"{where}: the neutral forms; no other was faster"
    before, after = (float(tuning.milliseconds[which]) for which in ("neutral", "tuned"))
    errors = " -> ".join(f"{float(tuning.errors[which]):.1e}" for which in ("neutral", "tuned"))
    return f"{where}: {before:.4g} -> {after:.4g} ms ({after / before:.3f}), error {errors}"


def small_networks(tuning: Tuning) -> dict[str, str]:
    """What was measured of each group's forms, by the name of the group."""
    return {each["where"]: _of(each) for each in tuning.contests if each["where"] != WHOLE}


def _of(contest: Mapping[str, Any]) -> str:
    asked, (neutral, *others) = read(contest)
    forms = [form for variant in asked.variants[1:] for _, form in variant]
    return ", ".join(_tried(form, each, judge(each, neutral)) for form, each in zip(forms, others, strict=True))


def _tried(form: str, measured: Measured, verdict: Verdict) -> str:
    if measured.failed:
        return f"{form}: {measured.failed.splitlines()[0][:WIDTH]}"
    return f"{form} {verdict.ratio:.3f} ± {verdict.spread:.3f}{'' if verdict.is_accurate else f', {verdict.why}'}"


def of_table(merged: Merged) -> RenderableType:
    """The rows that were added, and what results do not agree on."""
    table = Table("operation", "form", "dtype", "numbers", "GPU", title=f"{counted(merged.added, 'row')} added")
    for row in merged.rows[: merged.added]:
        numbers = ", ".join(f"{name} {low} to {row.most[name]}" for name, low in row.least.items())
        table.add_row(row.kind, row.form, ", ".join(row.dtypes), numbers, f"{row.gpu}, {row.measured_with}")
    return Lines(table, *(Text(f"not agreed, so neutral: {text}") for text in merged.conflicts))
