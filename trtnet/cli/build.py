"""The commands that make engines and run them: `trtnet build`, `trtnet run`, `trtnet models`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.callbacks import arrays
from trtnet.cli.grouping import grouped
from trtnet.cli.options import Input, Json, Model, ModelOptions, Size
from trtnet.support.files import check_writable

if TYPE_CHECKING:
    from trtnet.builder import BuildConfig


@dataclass(frozen=True)
class BuildOptions:
    """How TensorRT builds."""

    workspace: Annotated[str | None, typer.Option(help="Limit of scratch memory: 4GiB.")] = None
    optimization_level: Annotated[int | None, typer.Option(help="0 to 5.")] = None
    tf32: Annotated[bool, typer.Option("--tf32", help="Let float32 products use TensorFloat-32.")] = False
    refit: Annotated[bool, typer.Option("--refit", help="Keep weights replaceable by `trtnet refit`.")] = False
    strip: Annotated[bool, typer.Option("--strip", help="Write a plan without weights, which are given at load.")] = (
        False
    )
    timing_cache: Annotated[Path | None, typer.Option(help="File of kernel timings (TensorRT only).")] = None
    compute_capability: Annotated[list[str], typer.Option(help="GPU to compile for: 8.9 (TensorRT-RTX only).")] = field(
        default_factory=list
    )
    profiling_verbosity: Annotated[
        str, typer.Option(help="Layer information in the plan: detailed, layer_names_only, none.")
    ] = "detailed"
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True

    @property
    def build_config(self) -> BuildConfig:
        from trtnet.builder import BuildConfig
        from trtnet.tools.targets import arguments

        return BuildConfig(
            workspace=None if self.workspace is None else arguments.nbytes(self.workspace),
            optimization_level=self.optimization_level,
            tf32=self.tf32,
            refit=self.refit,
            strip=self.strip,
            timing_cache=self.timing_cache,
            compute_capabilities=tuple(self.compute_capability),
            profiling_verbosity=self.profiling_verbosity,
            progress=self.progress and sys.stderr.isatty(),
        )


@dataclass(frozen=True)
class RunOptions(ModelOptions):
    """A model's options, at one size of each dimension."""

    dim: Size = field(default_factory=list)


@grouped
def build(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="Plan file to write; its sidecar is FILE.json.")],
    options: ModelOptions,
    how: BuildOptions,
    audit: Annotated[
        bool, typer.Option("--audit", help="Ask the engine in which dtypes it computes; exit code 1 if not as asked.")
    ] = False,
    json: Json = None,
) -> None:
    """Builds an engine from a model and its checkpoint."""
    from trtnet.tools.audit.audit import recorded
    from trtnet.tools.build import build_engine, picture, to_json
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.networks import define_network

    check_writable(output)
    config = how.build_config
    network = define_network(model, options.choices, config.compute_capabilities)
    result = build_engine(network, arguments.dims(options.dim), config, output, audit)
    show(picture(result), to_json(result), json)
    raise typer.Exit(1 if audit and recorded(result.info).fell_back else 0)


@grouped
def run(
    target: Annotated[str, typer.Argument(help="An engine file; or a model, which then runs on the CPU reference.")],
    options: RunOptions,
    input: Input = [],
    random: Annotated[
        int | None, typer.Option("--random", "--seed", min=0, help="Random inputs from this seed.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(callback=arrays, help="Write the outputs: .npz, or polygraphy's .json.")
    ] = None,
    json: Json = None,
) -> None:
    """Runs an engine on the GPU, or a model on the CPU reference."""
    from dataclasses import replace

    from trtnet.tools import run as tool
    from trtnet.tools.output import show, with_files
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.function import Function

    sizes = arguments.sizes(options.dim)
    function = Function(target, replace(options.choices, dims=())).open()
    arguments.check_dims(sizes, function.inputs)
    given = tool.random_inputs(function.inputs, sizes, random) if random is not None else {}
    outputs, seconds = tool.call(function, given | tool.read_inputs(arguments.files(input)))
    if save is not None:
        tool.save(outputs, save)
    summaries = tool.summarize(outputs)
    show(with_files(tool.table(summaries, seconds), save), tool.to_json(summaries, seconds), json)


def models(json: Json = None) -> None:
    """Lists the models of the zoo."""
    from dataclasses import asdict

    from rich.table import Table

    from trtnet.tools.output import show
    from trtnet.tools.targets.models import summaries

    picture = Table("model", "parameters", "inputs", "")
    found = summaries()
    for model in found:
        inputs = [f"{name} {shape}" for name, shape in model.inputs.items()]
        shown = inputs if len(inputs) <= 3 else [*inputs[:3], f"and {len(inputs) - 3} more"]
        picture.add_row(model.name, f"{model.parameters:,}", "\n".join(shown), model.description)
    show(picture, [asdict(model) for model in found], json)
