"""The commands `trtnet bench` and `trtnet warm`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.callbacks import existing, parsed, writable
from trtnet.cli.grouping import grouped
from trtnet.cli.options import Input, Json, ModelOptions

if TYPE_CHECKING:
    from trtnet.tools.bench.findings import Wishes
    from trtnet.tools.bench.measurement import Setting
    from trtnet.tools.bench.reports.files import Files

Export = Annotated[
    Path | None,
    typer.Option(metavar="FILE", callback=writable, help="JSON to write, like trtexec's export of that name."),
]


def _routes(text: str | None) -> str | None:
    from trtnet.tools.bench.other_tools.routes import routes

    if text:
        routes(text)
    return text


@dataclass(frozen=True)
class BenchOptions(ModelOptions):
    """What the engine is built of, if it is not a file."""

    weights: Annotated[
        str | None, typer.Option(callback=existing, help="Checkpoint of a model; random weights by default.")
    ] = None
    dim: Annotated[
        list[str],
        typer.Option(
            "--dim", callback=parsed("dims"), help="Size of a dynamic dimension: batch=8; by default the profile's opt."
        ),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class Measuring:
    """How it is measured."""

    input: Input = field(default_factory=list)
    seed: Annotated[int, typer.Option("--seed", "--random", min=0, help="Seed of random inputs.")] = 0
    warm_up: Annotated[float, typer.Option(min=0, help="Milliseconds of warm-up before the measurement.")] = 200
    duration: Annotated[float, typer.Option(min=0, help="Duration of the measurement in seconds.")] = 3
    iterations: Annotated[int, typer.Option(min=1, help="Least number of inferences of each stream.")] = 10
    streams: Annotated[int, typer.Option(min=1, help="Concurrent inferences.")] = 1
    percentile: Annotated[list[int], typer.Option(min=0, max=100, help="Percentiles to report.")] = field(
        default_factory=lambda: [90, 95, 99]
    )
    no_cuda_graph: Annotated[
        bool, typer.Option("--no-cuda-graph", help="Queue each execution without a CUDA graph.")
    ] = False
    transfers: Annotated[bool, typer.Option("--transfers", help="Move inputs and outputs with each query.")] = False
    profile_index: Annotated[int | None, typer.Option(min=0, help="Optimization profile to use.")] = None

    @property
    def setting(self) -> Setting:
        from trtnet.tools.bench.loop import Limits
        from trtnet.tools.bench.measurement import Setting

        limits = Limits(self.warm_up, self.duration, self.iterations)
        graph, percentiles = not self.no_cuda_graph, tuple(self.percentile)
        return Setting(limits, self.streams, self.transfers, graph, self.profile_index, percentiles)


@dataclass(frozen=True)
class Reporting:
    """What is found beside the times, and shown."""

    profile: Annotated[bool, typer.Option("--profile", help="Measure times by layer, in a separate run.")] = False
    depth: Annotated[int, typer.Option(min=1, help="Depth of the modules in the profile's table.")] = 2
    trtexec: Annotated[bool, typer.Option("--trtexec", help="Print trtexec's lines instead of tables.")] = False
    measure_peaks: Annotated[
        bool,
        typer.Option(
            "--measure-peaks", help="Compute the floor from peaks measured on this GPU, not from its data sheet."
        ),
    ] = False
    against: Annotated[
        str | None,
        typer.Option(callback=_routes, help="Other tools to measure, alternating: torch,compile,onnx or some of them."),
    ] = None
    torch: Annotated[
        str | None, typer.Option(help="The PyTorch original: path.py:factory; by default torchvision's of that name.")
    ] = None

    def wishes(self, exports: Exports) -> Wishes:
        from trtnet.tools.bench.findings import Wishes
        from trtnet.tools.bench.other_tools.routes import routes

        profile = self.profile or exports.export_profile is not None
        return Wishes(profile, self.measure_peaks, routes(self.against) if self.against else (), self.torch)


@dataclass(frozen=True)
class Exports:
    """The files to write."""

    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Plot to write: .png or .html.")] = None
    export_times: Export = None
    export_profile: Export = None
    export_output: Export = None
    export_layer_info: Export = None

    @property
    def files(self) -> Files:
        from trtnet.tools.bench.reports.files import Files

        return Files(self.plot, self.export_times, self.export_profile, self.export_output, self.export_layer_info)


@grouped
def bench(
    target: Annotated[
        str, typer.Argument(help="An engine file; or, built first, a model (zoo, path.py:factory) or a .onnx file.")
    ],
    options: BenchOptions,
    measuring: Measuring,
    reporting: Reporting,
    exports: Exports,
    json: Json = None,
) -> None:
    """Measures the throughput and latency of an engine on the GPU.

    Also the times of its layers, and how far it is from the GPU's limits. Times are measured as by trtexec; the
    exports are JSON in trtexec's schemas.
    """
    from trtnet.tools.bench import feeds, findings
    from trtnet.tools.bench.reports import report
    from trtnet.tools.bench.target import open_target
    from trtnet.tools.targets import arguments

    files = exports.files
    files.check()
    wishes = reporting.wishes(exports)
    opened = open_target(target, options.choices)
    given, profile = arguments.files(measuring.input), measuring.profile_index or 0
    arrays = feeds.feeds(opened.engine.info, opened.sizes, given, measuring.seed, profile)
    found = findings.examine(opened, arrays, measuring.setting, wishes)
    files.write(found, opened.engine, reporting.depth)
    report.show_bench(found, reporting.depth, json, reporting.trtexec)


def warm(
    engine: Annotated[str, typer.Argument(help="An engine file.")],
    dim: Annotated[
        list[str],
        typer.Option("--dim", help="Sizes of a dynamic dimension: batch=1,8,32; by default those of the profiles."),
    ] = [],
    json: Json = None,
) -> None:
    """Compiles TensorRT-RTX's kernels ahead of the first request.

    For the given shapes, into the cache next to the engine.
    """
    from trtnet.tools import warm as tool
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments

    found = tool.warm(Path(engine), arguments.lists(dim))
    show(tool.table(found), tool.to_json(found), json)
