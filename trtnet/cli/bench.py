"""The commands `trtnet bench` and `trtnet warm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.options import Arg, Declare, DType, Ignore, Input, Json, Key, Rules, StripPrefix, weights_choice

Export = Annotated[Path | None, typer.Option(metavar="FILE", help="JSON to write, as trtexec's export of that name.")]


def bench(
    target: Annotated[
        str, typer.Argument(help="An engine file; or what is built: a model (zoo, path.py:factory), a .onnx file.")
    ],
    weights: Annotated[str | None, typer.Option(help="Checkpoint of a model; random weights without.")] = None,
    rules: Rules = None,
    key: Key = None,
    strip_prefix: StripPrefix = None,
    ignore: Ignore = [],
    dtype: DType = "float32",
    dim: Annotated[
        list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=8; the profile's opt without.")
    ] = [],
    arg: Arg = [],
    declare: Declare = [],
    input: Input = [],
    seed: Annotated[int, typer.Option(help="Of random inputs.")] = 0,
    warm_up: Annotated[float, typer.Option(min=0, help="Milliseconds before the measurement.")] = 200,
    duration: Annotated[float, typer.Option(min=0, help="Seconds of the measurement.")] = 3,
    iterations: Annotated[int, typer.Option(min=1, help="Inferences of each stream, at least.")] = 10,
    streams: Annotated[int, typer.Option(min=1, help="Inferences side by side.")] = 1,
    percentile: Annotated[list[int], typer.Option(min=0, max=100, help="Percentiles to report.")] = [90, 95, 99],
    no_cuda_graph: Annotated[bool, typer.Option("--no-cuda-graph", help="Queue each execution anew.")] = False,
    transfers: Annotated[bool, typer.Option("--transfers", help="Move inputs and outputs with each query.")] = False,
    profile_index: Annotated[int | None, typer.Option(min=0, help="Optimization profile to use.")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Times by layer, in a run of their own.")] = False,
    depth: Annotated[int, typer.Option(min=1, help="How deep the modules in the profile's table are.")] = 2,
    trtexec: Annotated[bool, typer.Option("--trtexec", help="Print trtexec's lines instead of tables.")] = False,
    measure_peaks: Annotated[
        bool, typer.Option("--measure-peaks", help="Floor by what this GPU reaches, not by its data sheet.")
    ] = False,
    against: Annotated[
        str | None, typer.Option(help="Other tools to measure too, in turns: torch,compile,onnx or some of them.")
    ] = None,
    torch: Annotated[
        str | None, typer.Option(help="The PyTorch original: path.py:factory; torchvision's of that name without.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Picture to write: .png or .html.")] = None,
    export_times: Export = None,
    export_profile: Export = None,
    export_output: Export = None,
    export_layer_info: Export = None,
    json: Json = None,
) -> None:
    """Measures an engine on the GPU as trtexec does: throughput, latencies, layers; and how far from the floor it is.

    The exports are JSON in trtexec's schemas.
    """
    from trtnet.tools.bench import feeds, findings
    from trtnet.tools.bench.loop import Limits
    from trtnet.tools.bench.measurement import Setting
    from trtnet.tools.bench.other_tools.against import routes
    from trtnet.tools.bench.reports import report
    from trtnet.tools.bench.reports.files import Files
    from trtnet.tools.bench.target import open_target
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.networks import Choices

    files = Files(plot, export_times, export_profile, export_output, export_layer_info)
    files.check()
    chosen = routes(against) if against else ()
    wishes = findings.Wishes(profile or export_profile is not None, measure_peaks, chosen, torch)
    opened = open_target(
        target, Choices(weights_choice(weights, rules, key, strip_prefix, ignore), dtype, dim, arg, declare)
    )
    arrays = feeds.feeds(opened.engine.info, opened.sizes, arguments.files(input), seed, profile_index or 0)
    setting = Setting(
        Limits(warm_up, duration, iterations), streams, transfers, not no_cuda_graph, profile_index, tuple(percentile)
    )
    found = findings.examine(opened, arrays, setting, wishes)
    files.write(found, opened.engine, depth)
    report.show_bench(found, depth, json, trtexec)


def warm(
    engine: Annotated[str, typer.Argument(help="An engine file.")],
    dim: Annotated[
        list[str], typer.Option("--dim", help="Sizes of a dynamic dimension: batch=1,8,32; the profiles' without.")
    ] = [],
    json: Json = None,
) -> None:
    """Compiles TensorRT-RTX's kernels for shapes to come, into the cache beside the engine: no request waits."""
    from trtnet.tools import warm as tool
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments

    found = tool.warm(Path(engine), arguments.lists(dim))
    show(tool.table(found), tool.to_json(found), json)
