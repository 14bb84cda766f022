"""Options that several commands have: each is declared here, once, and means the same in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trtnet.tools.targets.weights_choice import WeightsChoice

Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is standard output.")
]
Model = Annotated[str, typer.Argument(help="A model of the zoo (trtnet models), or path/to/file.py:factory.")]
WeightsFile = Annotated[
    str | None, typer.Option(help="Checkpoint: .safetensors, .pth, .npz, .gguf, .wts, a folder; see trtnet weights ls.")
]
Rules = Annotated[
    str | None, typer.Option(help="Convert by the rules of a family, of a .toml file, or auto: of the family it is of.")
]
Key = Annotated[str | None, typer.Option(help="The part of a training checkpoint to take: model_ema.")]
StripPrefix = Annotated[
    str | None, typer.Option(help="Take this off the front of every key, which must have it: module.")
]
Ignore = Annotated[
    list[str], typer.Option(help="Regular expression of keys in the checkpoint that the model may leave out.")
]
DType = Annotated[
    str, typer.Option(help="dtype of the network: float32, float16, bfloat16, or the JSON of trtnet precision.")
]
Dim = Annotated[
    list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=8, or batch=1:8:32 (min:opt:max).")
]
Size = Annotated[list[str], typer.Option("--dim", help="Size of a dynamic dimension: batch=8.")]
Arg = Annotated[list[str], typer.Option("--arg", help="Argument of the model's factory: num_classes=10.")]
Declare = Annotated[list[str], typer.Option("--declare", help="An input of the model: image=batch,3,224,224:float16.")]
Input = Annotated[list[str], typer.Option("--input", help="An input's array: image=photo.npy.")]


def weights_choice(
    weights: str | None, rules: str | None, key: str | None, strip_prefix: str | None, ignore: list[str]
) -> WeightsChoice:
    """``--weights`` and the options beside it."""
    from trtnet.tools.targets.weights_choice import WeightsChoice

    return WeightsChoice(weights, rules, key, strip_prefix, tuple(ignore))
