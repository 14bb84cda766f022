"""`trtnet audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trtnet.cli.options import Json


def audit(
    engine: Annotated[
        str, typer.Argument(help="An engine, which needs its GPU; or a .json file of TensorRT's engine inspector.")
    ],
    sidecar: Annotated[
        Path | None, typer.Option(help="What was asked: the engine's sidecar, by default ENGINE.json.")
    ] = None,
    json: Json = None,
) -> None:
    """Shows in which dtype each module of an engine computes, beside what was asked.

    Exit code 1 if a module computes in a coarser dtype, in floats where it was to be quantized, or with weights that a
    layer of its own makes floats.
    """
    from trtnet.tools.audit.audit import audit as run
    from trtnet.tools.audit.report import render, to_json
    from trtnet.tools.output import show

    found = run(engine, sidecar)
    show(render(found), to_json(found), json)
    raise typer.Exit(1 if found.fell_back else 0)
