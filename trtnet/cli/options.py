"""Options that several commands have: each is declared here, once, and means the same in all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtnet.cli.callbacks import existing, parsed, writable

if TYPE_CHECKING:
    from trtnet.tools.targets.forms_choice import FormsChoice
    from trtnet.tools.targets.networks import Choices
    from trtnet.tools.targets.weights_choice import WeightsChoice
    from trtnet.verify.arrays.feeding import Arrays


Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", callback=writable, help="Write the result as JSON; - is standard output."),
]
MODEL = (
    "A model of the zoo (trtnet models); path/to/file.py:factory, of trtnet or PyTorch; torchvision:NAME, timm:NAME,"
    " transformers:FOLDER."
)
Model = Annotated[str, typer.Argument(help=MODEL)]
WeightsFile = Annotated[
    str | None,
    typer.Option(
        callback=existing, help="Checkpoint: .safetensors, .pth, .npz, .gguf, .wts, a folder; see trtnet weights ls."
    ),
]
Rules = Annotated[
    str | None, typer.Option(help="Convert with the rules of a family, of a .toml file, or auto: detect the family.")
]
Key = Annotated[str | None, typer.Option(help="The part of a training checkpoint to take: model_ema.")]
StripPrefix = Annotated[str | None, typer.Option(help="Strip this prefix from every key; all must have it: module.")]
Ignore = Annotated[
    list[str], typer.Option(help="Regular expression of keys in the checkpoint that the model may leave out.")
]
DType = Annotated[
    str,
    typer.Option(
        callback=parsed("dtype"),
        help="dtype of the network: float32, float16, bfloat16, or the JSON of trtnet precision.",
    ),
]
Quantization = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT", help="checkpoint: keep its quantized weights; or a .toml or .json file with schemes by modules."
    ),
]
Floats = Annotated[
    str,
    typer.Option(
        "--quantization-fallback", help="error or warn if something that should be quantized stays in floats."
    ),
]
Dim = Annotated[
    list[str],
    typer.Option(
        "--dim", callback=parsed("dims"), help="Size of a dynamic dimension: batch=8, or batch=1:8:32 (min:opt:max)."
    ),
]
Size = Annotated[
    list[str], typer.Option("--dim", callback=parsed("dims"), help="Size of a dynamic dimension: batch=8.")
]
Arg = Annotated[
    list[str],
    typer.Option(
        "--arg",
        callback=parsed("literals"),
        help="Argument of the model's factory, a field of its configuration: num_classes=10.",
    ),
]
Config = Annotated[
    str | None, typer.Option(metavar="FILE", help="The model's configuration: a published config.json, or its folder.")
]
Declare = Annotated[list[str], typer.Option("--declare", help="An input of the model: image=batch,3,224,224:float16.")]
Input = Annotated[
    list[str], typer.Option("--input", callback=parsed("files"), help="An input's array: image=photo.npy.")
]
AllInputs = Annotated[
    str | None, typer.Option("--inputs", help="All inputs: an .npz, or polygraphy's .json with one or more calls.")
]
Seed = Annotated[
    int, typer.Option("--random", "--seed", min=0, help="Seed of the random values of inputs that are not given.")
]
Range = Annotated[
    list[str],
    typer.Option(
        "--range", callback=parsed("ranges"), help="Random values of an input: input_ids=0:30000, the end excluded."
    ),
]
Pairs = Annotated[
    list[str], typer.Option("--output", help="Pairs of outputs to compare: expected=found; only these are compared.")
]
InFloats = Annotated[
    bool,
    typer.Option(
        "--in-floats/--no-in-floats", help="Show the error of a quantized model without its quantization, too."
    ),
]
Load = Annotated[
    bool | None,
    typer.Option(
        "--load/--no-load",
        help="Load the checkpoint into the torch module too, or not; by default only where its factory gives"
        " it random ones.",
    ),
]
Form = Annotated[
    list[str],
    typer.Option(
        "--form",
        help="The form of a kind of operation, which trtnet inspect lists: gelu=float32, or for some modules"
        " 'layer1.*:gelu=float32'; or the file of trtnet tune.",
    ),
]
Approximations = Annotated[
    bool, typer.Option("--approximations", help="Allow forms that compute another function, such as gelu=tanh.")
]
Strict = Annotated[
    bool, typer.Option("--strict/--no-strict", help="Whether the checkpoint must match the model exactly.")
]


@dataclass(frozen=True)
class WeightsOptions:
    """A checkpoint, and what makes its keys a model's."""

    weights: WeightsFile = None
    rules: Rules = None
    key: Key = None
    strip_prefix: StripPrefix = None
    ignore: Ignore = field(default_factory=list)

    @property
    def chosen(self) -> WeightsChoice:
        return weights_choice(self.weights, self.rules, self.key, self.strip_prefix, self.ignore)


@dataclass(frozen=True)
class FactoryOptions:
    """What a model's factory is given."""

    arg: Arg = field(default_factory=list)
    config: Config = None

    @property
    def values(self) -> dict[str, Any]:
        from trtnet.tools.targets.arguments import factory_arguments

        return factory_arguments(self.arg, self.config)


@dataclass(frozen=True)
class FormOptions:
    """Which layers operations are, where there are several."""

    form: Form = field(default_factory=list)
    approximations: Approximations = False

    @property
    def forms(self) -> FormsChoice:
        from trtnet.tools.targets.forms_choice import forms_choice

        return forms_choice(self.form, self.approximations)


@dataclass(frozen=True)
class ModelOptions(FormOptions, FactoryOptions, WeightsOptions):
    """What a model is made and defined with."""

    dtype: DType = "float32"
    quantization: Quantization = None
    floats: Floats = "error"
    dim: Dim = field(default_factory=list)
    declare: Declare = field(default_factory=list)

    @property
    def choices(self) -> Choices:
        from trtnet.tools.targets.networks import Choices

        return Choices(
            self.chosen, self.dtype, self.dim, self.arg, self.declare, self.config, self.forms, self.quantization,
            self.floats,
        )  # fmt: skip


@dataclass(frozen=True)
class LookOptions(ModelOptions):
    """The same for commands that look at a network's structure, at one size of each dimension."""

    weights: Annotated[
        str | None, typer.Option(callback=existing, help="Checkpoint of a model; not needed to look at its structure.")
    ] = None
    dim: Annotated[
        list[str],
        typer.Option(
            "--dim",
            callback=parsed("dims"),
            help="Size of a dynamic dimension: batch=8; 1 for those that are not given.",
        ),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class OriginalOptions(ModelOptions):
    """The same for commands that compare with a torch module."""

    weights: Annotated[
        str | None,
        typer.Option(callback=existing, help="Checkpoint of the model; by default the weights of the torch module."),
    ] = None
    dim: Size = field(default_factory=list)
    load: Load = None


Carry = Annotated[
    list[str],
    typer.Option(
        "--carry",
        help="State of a sequence: state_out=state feeds that output to that input; declared ones by default.",
    ),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Number of steps: inputs are repeated, random ones drawn for each.")
]


@dataclass(frozen=True)
class InputOptions:
    """The arrays that a model and its torch module get."""

    input: Input = field(default_factory=list)
    random: Seed = 0
    range: Range = field(default_factory=list)
    torch_input: Annotated[
        list[str], typer.Option("--torch-input", help="An input that the torch module takes; by default all of them.")
    ] = field(default_factory=list)

    def of_torch(self, arrays: Arrays) -> Arrays | None:
        """Those that the torch module takes; None for all of them."""
        return {name: arrays[name] for name in self.torch_input} if self.torch_input else None


def weights_choice(
    weights: str | None, rules: str | None, key: str | None, strip_prefix: str | None, ignore: list[str]
) -> WeightsChoice:
    """``--weights`` and the options beside it."""
    from trtnet.tools.targets.weights_choice import WeightsChoice

    return WeightsChoice(weights, rules, key, strip_prefix, tuple(ignore))
