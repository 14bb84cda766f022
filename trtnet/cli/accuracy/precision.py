"""`trtnet precision`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.accuracy.bisect import OnEngine, Torch
from trtnet.cli.grouping import grouped
from trtnet.cli.options import (
    AllInputs,
    Declare,
    FactoryOptions,
    InputOptions,
    Json,
    Load,
    Model,
    Pairs,
    Size,
    WeightsOptions,
)

if TYPE_CHECKING:
    from trtnet.tools.targets.networks import Choices
    from trtnet.tools.targets.pair import Pair
    from trtnet.verify.arrays.feeding import Arrays


@dataclass(frozen=True)
class SearchedModel(FactoryOptions, WeightsOptions):
    """The model whose precision is searched, with its checkpoint."""

    weights: Annotated[
        str | None, typer.Option(help="Checkpoint of the model; by default the weights of the torch module.")
    ] = None
    dim: Size = field(default_factory=list)
    declare: Declare = field(default_factory=list)
    load: Load = None

    @property
    def choices(self) -> Choices:
        from trtnet.tools.targets.networks import Choices

        return Choices(self.chosen, arguments=self.arg, inputs=self.declare, config=self.config)


@dataclass(frozen=True)
class Sought:
    """What is sought: the dtypes, and what is near enough."""

    narrow: Annotated[str, typer.Option(help="dtype of the modules that tolerate it: float16 or bfloat16.")] = "float16"
    wide: Annotated[str, typer.Option(help="dtype of the others.")] = "float32"
    relative_l2: Annotated[
        float | None,
        typer.Option(
            "--relative-l2",
            "--tolerance",
            help="Largest relative L2 of an output; by default that of the narrow dtype.",
        ),
    ] = None


@grouped
def precision(
    model: Model,
    options: SearchedModel,
    sought: Sought,
    arrays: InputOptions,
    torch: Torch = None,
    inputs: AllInputs = None,
    output: Pairs = [],
    engine: OnEngine = False,
    json: Json = None,
) -> None:
    """Finds the fewest modules that must be float32.

    With these the model is close to torch. The result is for `define(dtype=...)` and --dtype. Of several calls in
    --inputs, all must pass.
    """
    from trtnet.definition import DefinedNetwork
    from trtnet.runtime.cuda.device import CudaDevice
    from trtnet.tools.output import show
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.pair import open_pair
    from trtnet.verify.metrics.tolerances import Tolerance
    from trtnet.verify.precision.search import search_precision

    if engine:
        CudaDevice()  # before anything is built
    pair = open_pair(model, torch, options.choices, options.load)
    sizes = arguments.sizes(options.dim)
    given, at_random = _given(pair, sought.wide, arrays, inputs, sizes)
    theirs = [arrays.of_torch(each) for each in given]
    found = search_precision(
        pair.model,
        pair.checkpoint,
        given,
        pair.original,
        None if sought.relative_l2 is None else Tolerance(relative_l2=sought.relative_l2),
        specs=pair.specs,
        narrow=sought.narrow,
        wide=sought.wide,
        reference_inputs=[each for each in theirs if each is not None] or None,
        outputs=arguments.names(output) or None,
        on=(lambda network: network.build(sizes)) if engine else DefinedNetwork.reference,
        progress=sys.stderr.isatty(),
        ignored=pair.ignored,
    )
    if at_random:
        found = replace(found, notes=(*found.notes, _at_random(at_random, sought.wide)))
    show(found, found.to_json(), json)


def _given(
    pair: Pair, wide: str, options: InputOptions, inputs: str | None, sizes: dict[str, int]
) -> tuple[list[Arrays], list[str]]:
    """(the arrays of each call, the inputs whose values are random)."""
    from trtnet.definition import define
    from trtnet.support.errors import InputError
    from trtnet.tools.run import read_inputs
    from trtnet.tools.targets import arguments
    from trtnet.tools.targets.pair import completed
    from trtnet.verify.arrays.inputs import given_inputs

    if inputs is not None and options.input:
        raise InputError("--inputs has all inputs; --input gives one by one: use either")
    network = define(pair.model, pair.specs, pair.checkpoint, dtype=wide, ignored=pair.ignored)
    files = [read_inputs(arguments.files(options.input))] if inputs is None else given_inputs(inputs, ())
    ranges = arguments.ranges(options.range)
    given = [completed(network, arrays, sizes, ranges, options.random) for arrays in files]
    return given, [name for name in given[0] if name not in files[0]]


def _at_random(names: list[str], wide: str) -> str:
    words = f"the values of {', '.join(names)} were random, and what needs {wide} depends on them"
    return f"{words}: give real ones by --input {names[0]}=FILE.npy or --inputs FILE"
