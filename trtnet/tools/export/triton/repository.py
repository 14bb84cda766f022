"""A model's folder in a Triton repository: a version appears whole, and never changes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from trtnet.builder import Plan, PlanInfo
from trtnet.builder.plan import sidecar_path
from trtnet.support.errors import PlanError
from trtnet.tools.export.triton.config import PLAN, REFERENCE, TYPES, config, max_batch_size, notes
from trtnet.tools.export.triton.placing import Files, Version, place
from trtnet.tools.export.triton.sequence_config import of_sequences
from trtnet.tools.export.triton.serving import Serving


@dataclass(frozen=True)
class Repository:
    """files: what was written. version: of the model. max_batch_size: as it was chosen. notes: what to know of it."""

    files: tuple[str, ...]
    version: int
    max_batch_size: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Served:
    """What is served: files, the files of a version by name. python: by Triton's python backend.

    info: as Triton sees it, without what is carried from call to call.
    """

    info: PlanInfo
    files: Files
    python: bool


def of_engine(engine: Path, *, python: bool) -> Served:
    """An engine; with python=True beside a model.py that runs it with trtnet.

    Raises PlanError for one that Triton cannot serve so, or that cannot be read.
    """
    plan = Plan.load(engine)
    check(plan.info, str(engine), python)
    files: dict[str, bytes | memoryview] = {PLAN: plan.data}
    if python:
        files[sidecar_path(PLAN).name] = sidecar_path(engine).read_bytes()
        files["model.py"] = template(model_template(plan.info))
    return Served(of_sequences(plan.info), files, python)


def model_template(info: PlanInfo) -> str:
    """The model of the python backend that runs it."""
    return "python_sequences.py" if info.states else "python_model.py"


def template(name: str) -> bytes:
    """A model of Triton's python backend, from this package."""
    return resources.files(__package__).joinpath(name).read_bytes()


def publish(served: Served, repository: Path, name: str, serving: Serving) -> Repository:
    """Writes repository/name, or the next version of the model that is there.

    Raises PlanError for a name or a number that Triton does not take, a version that is there, a model that takes other
    tensors, or files that cannot be written.
    """
    written, number = place(repository, version_of(served, name, serving))
    return placed(served, serving, written, number)


def version_of(served: Served, name: str, serving: Serving) -> Version:
    """What :func:`publish` writes. Raises PlanError for what Triton does not take."""
    serving.check()
    text = config(served.info, name, serving, python=served.python)
    return Version(name, text, served.files, serving.version)


def placed(served: Served, serving: Serving, written: tuple[str, ...], number: int) -> Repository:
    """What there is to know of a version that was written."""
    size = max_batch_size(served.info, serving)
    return Repository(written, number, size, tuple(notes(served.info, size, served.python)))


def check(info: PlanInfo, what: str, python: bool) -> None:
    """Raises PlanError for what Triton cannot serve."""
    if info.backend != "tensorrt" and not python:
        made = "is a model" if info.backend == REFERENCE else f"was built by {info.backend}"
        raise PlanError(
            f"{what} {made}, and Triton's tensorrt backend loads only TensorRT's plans.\n"
            f"  --python serves it with Triton's python backend, with trtnet in the server's Python; or build it with"
            f" TRTNET_BACKEND=tensorrt, in the version of the server"
        )
    if info.states and not python:
        raise PlanError(
            f"{what} carries {info.states[0].input} from call to call, and Triton's tensorrt backend would not know for"
            f" which sequence: --python serves it with Triton's python backend, and keeps its state on the GPU"
        )
    if info.stripped:
        raise PlanError(f"{what} was stripped of its weights: add them with `trtnet refit`, Triton cannot")
    shown = of_sequences(info)
    for tensor in (*shown.inputs, *shown.outputs):
        if tensor.dtype not in TYPES:
            raise PlanError(f"{tensor}: Triton does not have this dtype; it has {', '.join(TYPES)}")
        if python and tensor.dtype == "bfloat16":
            raise PlanError(f"{tensor}: Triton's python backend uses numpy arrays, which have no bfloat16")
