"""What the modules of a torch model get and give."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from trtnet.reference.step import to_numpy
from trtnet.support.errors import InputError
from trtnet.verify.bisection.pairs import Value, numbered
from trtnet.verify.comparison.naming import opened
from trtnet.verify.comparison.side import Results
from trtnet.verify.comparison.torch_side import TorchModule, signature
from trtnet.verify.metrics.array_metrics import Array

Names = Mapping[str, str | Sequence[str]]
"""Paths of modules of ours, as regular expressions, and those of the original's for them: ``{r"layers\\.(\\d+)":
r"h.\\1"}``. A path also stands for those below it. Several are one module of ours: their results are joined along the
last axis, as those of queries, keys and values are."""


@dataclass
class TorchCall:
    """One call of a torch module."""

    inputs: list[Value]
    outputs: list[Value] = field(default_factory=list)


class Original:
    """A torch model that was run once, with all that its modules got and gave.

    calls: by path, in order. results: the model's own. Hooks are gone when it is made; the model is as it was.
    TorchScript modules in it cannot be watched: they have no calls.
    Raises InputError, with torch's words, for inputs on which it does not run, and for a TorchScript module.
    """

    def __init__(self, model: torch.nn.Module, inputs: Mapping[str, Array], names: Names) -> None:
        if isinstance(model, torch.jit.ScriptModule):
            raise InputError(
                "the original is a TorchScript module, whose modules cannot be observed: give the Python module from"
                " which it was made; compare accepts both"
            )
        self.model, self.side = model, TorchModule(model)
        self.names = {re.compile(ours): theirs for ours, theirs in names.items()}
        self.modules: dict[str, torch.nn.Module] = dict(model.named_modules(remove_duplicate=False))
        self.state: dict[str, torch.Tensor] = model.state_dict()
        self.calls: dict[str, list[TorchCall]] = {}
        with ExitStack() as hooks:
            for path, module in model.named_modules():
                if isinstance(module, torch.jit.ScriptModule):
                    continue
                hooks.enter_context(module.register_forward_pre_hook(self._before(path), with_kwargs=True))
                hooks.enter_context(module.register_forward_hook(self._after(path)))
            self.results: Results = self._run(inputs)

    def _run(self, inputs: Mapping[str, Array]) -> Results:
        try:
            return self.side.run(0, inputs)
        except InputError as error:
            hint = "original_inputs (--torch-input) gives it others than the network's"
            raise InputError(f"{error}\n  {hint}") from error.__cause__

    def _before(self, path: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.calls.setdefault(path, []).append(TorchCall(list(_arguments(module, args, kwargs))))

        return hook

    def _after(self, path: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: tuple[Any, ...], result: Any) -> None:
            call = next(call for call in reversed(self.calls[path]) if not call.outputs)
            call.outputs = numbered(list(_values("output", result)))

        return hook

    def choose(self, outputs: Mapping[str, str]) -> None:
        """Leaves those of the model's own results that are named, under the names of ours for them."""
        (call,) = self.calls[""]
        call.outputs = [Value(ours, self.results.outputs[theirs]) for theirs, ours in outputs.items()]

    def paths(self, path: str) -> tuple[str, ...]:
        """The original's paths for one of ours."""
        for pattern, theirs in self.names.items():
            match = re.match(rf"(?:{pattern.pattern})(?=\.|$)", path)
            if match:
                several = [theirs] if isinstance(theirs, str) else theirs
                return tuple(match.expand(one) + path[match.end() :] for one in several)
        return (path,)

    def call(self, path: str, index: int) -> TorchCall | None:
        """The index-th call of what stands for a module of ours; None if there is none."""
        found = [self.calls.get(name, [])[index : index + 1] for name in self.paths(path)]
        if not all(found):
            return None
        calls = [one for (one,) in found]
        return calls[0] if len(calls) == 1 else TorchCall(calls[0].inputs, _joined(calls))

    def module(self, path: str) -> torch.nn.Module | None:
        """The module that stands for one of ours; None if there is none, or several."""
        (first, *others) = self.paths(path)
        return None if others else self.modules.get(first)


def _joined(calls: Sequence[TorchCall]) -> list[Value]:
    try:
        return [Value("output", np.concatenate([call.outputs[0].array for call in calls], axis=-1))]
    except (ValueError, IndexError):
        return []


def _arguments(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Value]:
    bound: Mapping[str, Any] = {f"input{i}": value for i, value in enumerate(args)} | kwargs
    with suppress(TypeError, ValueError):  # a forward without a signature, or one that a hook changed
        bound = signature(module).bind(*args, **kwargs).arguments
    for name, value in bound.items():
        yield from _values(name, value)


def _values(name: str, value: Any) -> Iterator[Value]:
    """The tensors of a structure, copied: a later module may write into them."""
    value = opened(value)
    if isinstance(value, torch.Tensor) and value.is_complex():
        yield from _values(name, [value.real, value.imag])  # as the network has them
    elif isinstance(value, torch.Tensor):
        if value.layout == torch.strided:
            yield Value(name, to_numpy(value.detach().cpu().clone()))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _values(str(key), item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _values(name, item)
