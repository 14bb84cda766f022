"""What a measurement shows: tables to read, and JSON for a program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from trtnet.builder import PlanInfo
from trtnet.support.text.counted import counted
from trtnet.tools.bench.measurement import Measurement
from trtnet.tools.bench.other_tools.against import TRTNET, Rival
from trtnet.tools.bench.profile import Profile, Row
from trtnet.tools.bench.reports import trtexec_export as export
from trtnet.tools.bench.reports.trtexec_lines import lines
from trtnet.tools.bench.roofline import Floor
from trtnet.tools.bench.statistics import Summary
from trtnet.tools.output import show

NO_LAYERS = (
    "{} reported no layers to TensorRT's profiler, so there are no times by layer. Nsight Systems shows kernels."
)


@dataclass(frozen=True)
class Bench:
    """All that `trtnet bench` found.

    floor: None where the network's operations or the GPU's peaks are not known; no_floor says which. profile: None if
    it was not asked for. rivals: other tools' times, and the engine's among them.
    """

    info: PlanInfo
    measurement: Measurement
    floor: Floor | None = None
    no_floor: str = ""
    profile: Profile | None = None
    rivals: tuple[Rival, ...] = ()


def show_bench(bench: Bench, depth: int, json_file: str | None, trtexec: bool) -> None:
    """Prints the measurement, in tables or in trtexec's lines, and writes JSON where it is asked for.

    Raises TrtnetError if the file cannot be written.
    """
    found = bench.measurement
    if not trtexec or json_file == "-":
        show(picture(bench, depth), to_json(bench), json_file)
        return
    print(*lines(found.samples, found.timing, bench.profile), sep="\n")  # not by rich, which wraps and crops
    if json_file:
        export.write(Path(json_file), export.text(to_json(bench)))


def picture(bench: Bench, depth: int) -> RenderableType:
    """The measurement, to read. depth: of the modules in the profile's table."""
    parts: list[RenderableType] = [Text(title(bench), style="bold"), _times(bench), _facts(bench)]
    parts += [Text(f"! {warning}", style="yellow") for warning in bench.measurement.timing.warnings]
    if bench.profile is not None:
        parts.append(_profile(bench, bench.profile, depth))
    if bench.rivals:
        parts.append(_rivals(bench.rivals))
    return Group(*parts)


def title(bench: Bench) -> str:
    """What was measured, and where."""
    info, found = bench.info, bench.measurement
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in found.shapes.items())
    return f"{info.model or 'engine'} {info.dtype}, {shapes}: {found.device}, {info.backend} {info.backend_version}"


def _times(bench: Bench) -> Table:
    timing = bench.measurement.timing
    percents = list(timing.latency.percentiles)
    table = Table("ms", *(Column(name, justify="right") for name in ("min", "max", "mean", "median")))
    for percent in percents:
        table.add_column(f"p{percent:g}", justify="right")
    for name, summary in timing.parts.items():
        table.add_row(name, *(f"{value:.4f}" for value in _numbers(summary)))
    return table


def _numbers(summary: Summary) -> Iterator[float]:
    yield from (summary.min, summary.max, summary.mean, summary.median, *summary.percentiles.values())


def _facts(bench: Bench) -> Table:
    found, timing = bench.measurement, bench.measurement.timing
    facts = {
        "Throughput": f"{timing.throughput:,.2f} qps, {counted(timing.queries, 'query', 'queries')}",
        "Total Host Walltime": f"{timing.walltime:.3f} s",
        "Total GPU Compute Time": f"{timing.compute_time:.3f} s",
        "Floor": _floor(bench),
        "First inference": f"{found.first_inference:.3f} s, from the plan in memory",
        "Device memory": _device_memory(found),
        "CUDA graph": f"no: {found.no_cuda_graph}" if found.no_cuda_graph else "yes",
    }
    table = Table(show_header=False, box=None, padding=(0, 1))
    for name, value in facts.items():
        table.add_row(name, Text(value))
    return table


def _device_memory(found: Measurement) -> str:
    if found.device_memory <= 0:
        return "not known: other programs on the GPU gave more back meanwhile"
    return f"{found.device_memory / 2**20:,.1f} MiB, {_slots(found)}"


def _slots(found: Measurement) -> str:
    streams = found.setting.streams
    return f"{streams} stream{'s' * (streams > 1)} of two inferences each"


def _floor(bench: Bench) -> str:
    floor, median = bench.floor, bench.measurement.timing.compute.median
    if floor is None:
        return bench.no_floor
    bound = f"bound by {floor.bound}" if floor.compute_ms is not None else f"by memory alone, {floor.dtype} has no peak"
    return (
        f"{floor.ms:.4f} ms, {bound}: {floor.share(median):.1f} % of the roofline"
        f" ({floor.flops / 1e9:,.2f} GFLOP {floor.dtype}, {floor.bytes / 1e6:,.2f} MB; {floor.source})"
    )


def _profile(bench: Bench, profile: Profile, depth: int) -> RenderableType:
    if not profile.layers:
        return Text(NO_LAYERS.format(f"{bench.info.backend} {bench.info.backend_version}"), style="yellow")
    names = ("Time(ms)", "Avg.(ms)", "Median(ms)", "Time(%)")
    title = f"Profile ({counted(profile.executions, 'iteration')}), modules to depth {depth}"
    table = Table(*(Column(name, justify="right") for name in names), Column("Module", overflow="fold"), title=title)
    for row in profile.by_module(depth):
        table.add_row(*_row(row))
    table.add_section()
    total = profile.total_ms
    table.add_row(f"{total:.2f}", f"{total / profile.executions:.4f}", "", "100.0", "Total")
    return table


def _row(row: Row) -> list[Text]:
    """As Text: names may hold what rich takes for markup."""
    numbers = f"{row.time_ms:.2f}", f"{row.average_ms:.4f}", f"{row.median_ms:.4f}", f"{row.percentage:.1f}"
    return [Text(cell) for cell in (*numbers, row.name)]


def _rivals(rivals: tuple[Rival, ...]) -> Table:
    numbers = ("median ms", "p90", "p99", "trtnet is faster by", "relative L2")
    table = Table("route", *(Column(name, justify="right") for name in numbers), title="In turns, one process")
    (own,) = (rival for rival in rivals if rival.route == TRTNET)
    for rival in rivals:
        percentiles = (f"{rival.times.percentiles[percent]:.4f}" for percent in (90, 99))
        faster = f"{rival.times.median / own.times.median:.2f}x"
        table.add_row(rival.name, f"{rival.times.median:.4f}", *percentiles, faster, f"{rival.difference:.1e}")
    return table


def to_json(bench: Bench) -> dict[str, Any]:
    """The measurement, for a program: everything but the single samples and outputs, which have files of their own."""
    found, info = bench.measurement, bench.info
    return {
        "model": info.model,
        "dtype": info.dtype,
        "backend": info.backend,
        "backend_version": info.backend_version,
        "device": found.device,
        "shapes": {name: list(shape) for name, shape in found.shapes.items()},
        "setting": asdict(found.setting),
        "timing": asdict(found.timing),
        "first_inference_s": found.first_inference,
        "device_memory_bytes": found.device_memory,
        "no_cuda_graph": found.no_cuda_graph,
        "floor": _floor_json(bench),
        "profile": _profile_json(bench.profile),
        "against": [asdict(rival) | {"name": rival.name} for rival in bench.rivals],
    }


def _floor_json(bench: Bench) -> dict[str, Any]:
    if bench.floor is None:
        return {"unknown": bench.no_floor}
    share = bench.floor.share(bench.measurement.timing.compute.median)
    return asdict(bench.floor) | {"ms": bench.floor.ms, "bound": bench.floor.bound, "roofline_percent": share}


def _profile_json(profile: Profile | None) -> dict[str, Any] | None:
    if profile is None:
        return None
    return {"executions": profile.executions, "layers": [asdict(row) for row in profile.layers]}
