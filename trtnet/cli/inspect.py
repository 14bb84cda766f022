"""The commands that look into networks and engines: `trtnet inspect`, `trtnet diff`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.grouping import grouped
from trtnet.cli.options import Json, LookOptions

if TYPE_CHECKING:
    from trtnet.tools.targets.networks import Choices

Target = Annotated[
    str,
    typer.Argument(
        help="A model (trtnet models, or path/to/file.py:factory), a .onnx file, an engine, its sidecar"
        " (x.engine.json), or a file with what TensorRT's engine inspector says."
    ),
]


@grouped
def inspect(
    target: Target,
    options: LookOptions,
    depth: Annotated[int, typer.Option(min=0, help="Depth of the module tree; 0: only the model.")] = 3,
    json: Json = None,
) -> None:
    """Shows the modules and layers of a network or an engine.

    With shapes, parameters, FLOPs, bytes and precisions.
    """
    from trtnet.tools.inspect import any as inspect_any
    from trtnet.tools.output import show

    found = inspect_any.look(target, options.choices, depth)
    show(found.picture, found.document, json)


@dataclass(frozen=True)
class OtherOptions:
    """What the second model of `trtnet diff` is made with, where it is not what the first is."""

    other_weights: Annotated[str | None, typer.Option(help="Checkpoint of SECOND; that of FIRST by default.")] = None
    other_dtype: Annotated[str | None, typer.Option(help="dtype of SECOND; that of FIRST by default.")] = None
    other_arg: Annotated[list[str], typer.Option(help="Argument of SECOND's factory; FIRST's by default.")] = field(
        default_factory=list
    )
    other_config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Configuration of SECOND; FIRST's by default.")
    ] = None
    other_form: Annotated[list[str], typer.Option(help="Form of SECOND's operations; FIRST's by default.")] = field(
        default_factory=list
    )

    def choices(self, first: Choices) -> Choices:
        """Those of the first with these in their places."""
        from trtnet.tools.targets.forms_choice import forms_choice

        forms = forms_choice(self.other_form, first.forms.approximations) if self.other_form else first.forms
        return replace(
            first,
            weights=first.checkpoint.other(self.other_weights),
            dtype=self.other_dtype or first.dtype,
            arguments=self.other_arg or first.arguments,
            config=self.other_config or first.config,
            forms=forms,
        )


@grouped
def diff(
    first: Target,
    second: Target,
    options: LookOptions,
    other: OtherOptions,
    values: Annotated[bool, typer.Option("--values", help="Compare the numbers in weights too, exactly.")] = False,
    json: Json = None,
) -> None:
    """Compares two networks, or two engines, layer by layer.

    Exit code 1 if they differ.
    """
    from trtnet.tools.inspect import diff as tool
    from trtnet.tools.inspect.layer_lists import describe
    from trtnet.tools.output import show
    from trtnet.tools.targets.networks import check_options

    choices = options.choices
    check_options(choices, first, second)
    found = tool.compare(describe(first, choices, values), describe(second, other.choices(choices), values))
    show(tool.render(found), tool.to_json(found), json)
    raise typer.Exit(1 if found.differs else 0)
