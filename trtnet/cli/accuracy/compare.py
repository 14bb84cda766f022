"""`trtnet compare`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.callbacks import arrays, page, suite
from trtnet.cli.grouping import grouped
from trtnet.cli.options import AllInputs, Carry, InFloats, Json, OriginalOptions, Pairs, Range, Steps, Strict
from trtnet.support.files import check_arrays, check_writable

if TYPE_CHECKING:
    from trtnet.verify.comparison.report import Comparison
    from trtnet.verify.metrics.tolerances import Tolerance

SOURCES = """What to compare, the reference last: a model of the zoo, LIBRARY:NAME or path/to/file.py:factory (on the
CPU reference), torch:path/to/file.py:factory, model.onnx (NVIDIA's parser, on the CPU reference), x.engine, saved
outputs (.npz, .json of polygraphy or trtexec), engine:MODEL or engine:model.onnx (built and run on the GPU).
name=SOURCE names it in the report. A single source, a PyTorch module, is compared with itself."""


@dataclass(frozen=True)
class ComparedModels(OriginalOptions):
    """The models among the sources."""

    weights: Annotated[
        str | None, typer.Option(help="Checkpoint of the models; by default the weights of the torch: module.")
    ] = None
    strict: Strict = True


@dataclass(frozen=True)
class Feeds:
    """The arrays that each source gets."""

    input: Annotated[
        list[str], typer.Option("--input", help="An input's array: image=photo.npy, or raw bytes: image=photo.bin.")
    ] = field(default_factory=list)
    inputs: AllInputs = None
    random: Annotated[
        int,
        typer.Option("--random", "--seed", min=0, help="Seed of random inputs, which are used if no others are given."),
    ] = 0
    range: Range = field(default_factory=list)
    iterations: Annotated[int, typer.Option(min=1, help="Number of random inputs.")] = 1
    carry: Carry = field(default_factory=list)
    steps: Steps = None


RELATIVE_L2 = """An output passes with at most this relative L2. By default, with limits of the cosine, of elements,
samples and channels: float32 1e-5 (on a GPU 1e-4), float16 1e-2, bfloat16 5e-2, float8_e4m3fn 1e-1, float8_e5m2 2e-1,
int8 1e-1, int4 3e-1, float4_e2m1fn 3e-1; of the coarsest dtype of the sides."""


@dataclass(frozen=True)
class Limits:
    """The tolerance; the table's where none is given."""

    relative_l2: Annotated[float | None, typer.Option("--relative-l2", "--tolerance", help=RELATIVE_L2)] = None
    cosine: Annotated[float | None, typer.Option(help="... with at least this cosine.")] = None
    atol: Annotated[float | None, typer.Option(help="... if each element is within this absolute error,")] = None
    rtol: Annotated[float | None, typer.Option(help="or within this relative error.")] = None
    margin: Annotated[
        float | None, typer.Option(help="... if the top-1 is the same wherever it leads by this margin.")
    ] = None

    @property
    def tolerance(self) -> Tolerance | None:
        from trtnet.tools.compare import tolerance

        return tolerance(self.relative_l2, self.cosine, self.atol, self.rtol, self.margin)


@dataclass(frozen=True)
class Files:
    """The files to write."""

    html: Annotated[Path | None, typer.Option(callback=page, help="Write the report as a page with plots.")] = None
    junit: Annotated[
        Path | None,
        typer.Option(callback=suite, help="Write JUnit's .xml, for continuous integration: a test case an output."),
    ] = None
    save_inputs: Annotated[
        Path | None,
        typer.Option(callback=arrays, help="Write the inputs: polygraphy's .json, or for one iteration .npz."),
    ] = None
    save_outputs: Annotated[Path | None, typer.Option(help="Write all outputs: polygraphy's .json.")] = None

    def check(self, iterations: int) -> None:
        """Raises TrtnetError for one that cannot be written, before anything is run."""
        if self.save_inputs is not None:
            check_arrays(self.save_inputs, one=iterations == 1)
        if self.save_outputs is not None:
            check_arrays(self.save_outputs, one=False)
        for file in (self.save_inputs, self.save_outputs):
            if file is not None:
                check_writable(file)

    def write(self, report: Comparison) -> None:
        from trtnet.verify.arrays.saved import write_inputs, write_outputs

        for file in (self.html, self.junit):
            if file is not None:
                report.save(file)
        if self.save_inputs is not None:
            write_inputs(self.save_inputs, report.kept_inputs)
        if self.save_outputs is not None:
            write_outputs(self.save_outputs, report.kept_outputs)


@grouped
def compare(
    things: Annotated[list[str], typer.Argument(metavar="SOURCE... REFERENCE", help=SOURCES)],
    models: ComparedModels,
    feeds: Feeds,
    limits: Limits,
    files: Files,
    output: Pairs = [],
    in_floats: InFloats = True,
    json: Json = None,
) -> None:
    """Compares the outputs of models, engines, ONNX files and PyTorch.

    Exit code 1 if they differ.
    A torch module keeps the weights that its factory gave it, unless these are random; the report says which weights
    each side has. The tolerances are those of the coarsest dtype that the sides were defined in, or only the given
    ones.
    """
    from trtnet.support.errors import InputError
    from trtnet.tools.compare import itself
    from trtnet.tools.output import show, with_files

    files.check(feeds.steps or feeds.iterations)
    if feeds.inputs is not None and feeds.input:
        raise InputError("--inputs has all inputs; --input gives one by one: use either")
    if len(things) == 1:
        things = [*things, itself(things[0])]
    keep = files.save_inputs is not None or files.save_outputs is not None
    report = _compared(things, models, feeds, limits, output, keep=keep, in_floats=in_floats)
    files.write(report)
    show(with_files(report, files.html, files.junit, files.save_inputs, files.save_outputs), report.to_json(), json)
    raise typer.Exit(0 if report.passed else 1)


def _compared(
    things: list[str],
    models: ComparedModels,
    feeds: Feeds,
    limits: Limits,
    output: list[str],
    *,
    keep: bool,
    in_floats: bool,
) -> Comparison:
    """The last one is the reference. keep: the inputs and outputs, to be saved."""
    from trtnet.tools.compare import open_things, read_given
    from trtnet.tools.targets import arguments
    from trtnet.verify import compare as run

    sizes = arguments.sizes(models.dim)
    sides, whose = open_things(things, models.choices, load=models.load, strict=models.strict)
    expected = list(sides)[-1]
    takes = next((side.takes for side in sides.values() if side.takes), ())
    given = read_given(arguments.files(feeds.input), takes, sizes)
    report = run(
        {name: side for name, side in sides.items() if name != expected},
        {expected: sides[expected]},
        feeds.inputs or given or None,
        tolerance=limits.tolerance,
        outputs=arguments.names(output) or None,
        iterations=feeds.iterations,
        seed=feeds.random,
        dims=sizes,
        ranges=arguments.ranges(feeds.range),
        carry=arguments.names(feeds.carry, "--carry", "state_out=state") or None,
        steps=feeds.steps,
        keep=keep,
        in_floats=in_floats,
    )
    return replace(report, notes=(*report.notes, *whose))
