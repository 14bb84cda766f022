"""`trtnet compare`: what the command line names, as things to compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trtnet.definition import DefinedNetwork, define
from trtnet.definition.models import torch_module_of
from trtnet.runtime import Engine
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, ModelError
from trtnet.support.files import is_file, is_folder
from trtnet.tools.inspect.plan import PLANS
from trtnet.tools.run import read_inputs
from trtnet.tools.targets import arguments, models
from trtnet.tools.targets.networks import Choices
from trtnet.verify.arrays.feeding import Arrays, Notes
from trtnet.verify.arrays.saved import split_runner
from trtnet.verify.arrays.trtexec_files import read_raw
from trtnet.verify.comparison.side import Side
from trtnet.verify.comparison.sides import open_side
from trtnet.verify.metrics.tolerances import Tolerance

FILES = (".onnx", *PLANS, ".npz", ".json")


def itself(text: str) -> str:
    """What a PyTorch module is compared with if nothing else is named. Raises InputError for others."""
    _, thing = _label(text)
    if thing.startswith("torch:"):
        module = thing.removeprefix("torch:")
        raise InputError(f"{thing} runs in torch: name what is compared with it first, as in {module} {thing}")
    if not models.may_be_of_torch(thing):
        raise InputError("nothing to compare it with: name at least two sources, the reference last")
    return f"torch:{thing.removeprefix('engine:')}"


def open_things(
    texts: Sequence[str], choices: Choices, *, load: bool | None = None, strict: bool = True
) -> tuple[dict[str, Side], Notes]:
    """(the sources by the names in the report, whose weights each has): ``name=source``, or the source's own text.

    A source is a model (of the zoo, or ``path.py:factory``; its network runs on the CPU), ``torch:path.py:factory``, a
    file of :data:`FILES`, an engine's under any name, or ``engine:`` and a model or an ONNX file, to be built and run
    on this machine's GPU.
    choices: of the models; weights without a file are those of the torch module, arguments go to the factories that
    take them, and sizes are for engines built here. load: whether the torch modules get the weights, too, as they are
    in the file; None: those whose own are random. strict: whether the weights must fit the models.
    Raises ModelError for what is none of it, or has no weights.
    """
    named = dict(_label(text) for text in texts)
    if len(named) < len(texts):
        raise ModelError("two sources have the same name; name them, as in first=lenet second=lenet")
    _check_arguments(named.values(), choices.values)
    torch = {name: _torch(text, choices, load) for name, text in named.items() if text.startswith("torch:")}
    opener = _Opener(choices, strict, [module for module, _ in torch.values()])
    sides = {n: open_side(torch[n][0] if n in torch else opener.open(text)) for n, text in named.items()}
    given = choices.checkpoint.file or next((text for text in named.values() if text.startswith("torch:")), "")
    ours = [f"{text} has those of {given}" for text in named.values() if text in opener.weighted]
    return sides, tuple(f"weights: {said}" for said in (*ours, *opener.skipped, *(said for _, said in torch.values())))


def read_given(files: Mapping[str, str], takes: Sequence[TensorInfo], dims: Mapping[str, int]) -> Arrays:
    """Arrays of ``--input``: ``.npy`` files, and others as trtexec's ``--loadInputs`` takes them. Raises InputError."""
    infos = {info.name: info for info in takes}
    numpy = {name: file for name, file in files.items() if file.endswith(".npy")}
    for name in files:
        if name not in numpy and name not in infos:
            raise ModelError(
                f"--input {name}={files[name]}: raw bytes of an input that no source declares; save a .npy"
            )
    raw = {name: read_raw(file, infos[name], dims) for name, file in files.items() if name not in numpy}
    return read_inputs(numpy) | raw


def tolerance(
    relative_l2: float | None, cosine: float | None, atol: float | None, rtol: float | None, margin: float | None
) -> Tolerance | None:
    """The tolerance that was asked for; None, the table's, if nothing was."""
    asked = Tolerance(relative_l2, cosine, atol, rtol, margin)
    return None if asked == Tolerance() else asked


class _Opener:
    def __init__(self, choices: Choices, strict: bool, modules: Sequence[Any]) -> None:
        self._choices, self._strict, self._modules = choices, strict, modules
        self._sizes = arguments.sizes(choices.dims)
        self.weighted: set[str] = set()
        self.skipped: list[str] = []

    def open(self, text: str) -> Any:
        if text.startswith("engine:"):
            return self._engine(text.removeprefix("engine:"))
        return text if _is_file(text) else self._define(text)

    def _engine(self, text: str) -> Engine:
        CudaDevice()  # before anything is built
        if not text.endswith(".onnx"):
            return self._define(text).build(self._sizes or None)
        from trtnet.reference.onnx import parse
        from trtnet.tools.bench.other_tools.onnx_route import plan

        parsed = parse(text)
        shapes = {info.name: _sized(info, self._sizes) for info in parsed.reference().inputs}
        return Engine(plan(parsed, shapes))

    def _define(self, text: str) -> DefinedNetwork:
        factory = models.find(text)
        values = models.taken(factory, self._choices.values)
        model = models.create(factory, values)
        declared = arguments.inputs(self._choices.inputs) or model.inputs
        if not declared and torch_module_of(model) is not None:
            raise ModelError(
                f"{text} makes a PyTorch module, which does not declare its inputs: write torch:{text} to run it in"
                f" torch, or --declare image=batch,3,224,224 to compare a network of it"
            )
        weights = self._weights(text) if any(model.named_parameters()) else None
        self.weighted |= {text} if weights is not None else set()
        network = define(
            model,
            declared,
            weights,
            strict=self._strict,
            name=text,
            **self._choices.definition | {"arguments": values},
        )
        if network.skipped:
            left_out = f"{', '.join(network.skipped[:5])}{', ...' if len(network.skipped) > 5 else ''}"
            self.skipped.append(f"{text} leaves out {left_out}")
        return network

    def _weights(self, text: str) -> Any:
        if self._choices.checkpoint.file is None and len(self._modules) != 1:
            raise ModelError(f"{text} needs its checkpoint: --weights FILE, or one torch: module to take them from")
        return self._choices.checkpoint.open_or(self._modules[0] if self._modules else None)


def _is_file(text: str) -> bool:
    file, _ = split_runner(text)
    return Path(file).suffix in FILES or is_folder(text) or (is_file(text) and not models.is_model(text))


def _label(text: str) -> tuple[str, str]:
    name, found, thing = text.partition("=")
    return (name, thing) if found and thing else (text, text)


def _torch(text: str, choices: Choices, load: bool | None) -> tuple[Any, str]:
    from trtnet.tools.targets.original import opened

    return opened(text.removeprefix("torch:"), choices.checkpoint, load, choices.values)


def _check_arguments(texts: Iterable[str], values: Mapping[str, Any]) -> None:
    """Raises ModelError for an argument that none of the factories takes."""
    named = [text.removeprefix("engine:").removeprefix("torch:") for text in texts if not _is_file(text)]
    factories = {text: models.find(text) for text in named if not text.endswith(".onnx")} if values else {}
    for value in values:
        if not any(value in models.taken(factory, values) for factory in factories.values()):
            raise ModelError(f"--arg {value}: none of {', '.join(factories) or 'the sources'} takes it")


def _sized(info: TensorInfo, dims: Mapping[str, int]) -> tuple[int, ...]:
    missing = [size for size in info.shape if isinstance(size, str) and size not in dims]
    if missing:
        raise ModelError(f"input {info}: give the size of {missing[0]}, as in --dim {missing[0]}=1")
    return tuple(size if isinstance(size, int) else dims[size] for size in info.shape)
