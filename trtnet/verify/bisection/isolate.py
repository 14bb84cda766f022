"""One module of a network by itself, on inputs of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trtnet.builder import describe
from trtnet.definition import DefinedNetwork, DTypes
from trtnet.graph import Dim, Input, Tensor
from trtnet.graph.calls import Call, replaced, tensors
from trtnet.graph.forms import FormChoices
from trtnet.graph.structures import leaves
from trtnet.nn import Module
from trtnet.ops.rewriting import rewrite
from trtnet.support import dtypes
from trtnet.support.errors import ModelError
from trtnet.verify.arrays.feeding import fed
from trtnet.verify.bisection.taps import Taps
from trtnet.verify.metrics.array_metrics import Array


@dataclass(frozen=True)
class Alone:
    """A network of one call of a module. names: of its inputs, by those of the tensors that the call got."""

    network: DefinedNetwork
    names: Mapping[str, str]
    outputs: int

    def run(self, taps: Callable[[DefinedNetwork], Taps], values: Mapping[str, Array]) -> list[Array]:
        """What the module gives for values of its inputs, by the names of the tensors that the call got.

        Raises InputError for a value that the input's dtype does not hold, and what the taps raise.
        """
        given = {name: values[tensor] for tensor, name in self.names.items()}
        feeds, _ = fed(describe(self.network).inputs, given)
        found = taps(self.network)(feeds).values
        return [found[f"result{i}"] for i in range(self.outputs)]


def alone(
    network: DefinedNetwork,
    call: Call,
    dtype: DTypes | None = None,
    then: Sequence[Module] = (),
    forms: FormChoices | None = None,
) -> Alone:
    """The call of a module as a network of its own, with the same weights, dtypes and names.

    dtype: another one for everything. then: modules that are called next, each with the result of the one before.
    forms: other ones than the network's.
    Raises ModelError for a call whose arguments hold sizes that only the whole network knows, and as define does.
    """
    _check(call)
    network_alone = DefinedNetwork(
        network.checkpoint, dtype or network.precision.by_path, network.model, network.arguments
    )
    network_alone.bind_like(network)
    network_alone.forms = network.forms if forms is None else forms
    inputs: dict[str, Tensor] = {}
    sizes: dict[Dim, str] = {}
    with network_alone, network_alone.scope(call.path):
        for tensor in tensors((call.args, dict(call.kwargs))):
            if tensor.name not in inputs:
                name = f"argument{len(inputs)}"
                inputs[tensor.name] = network_alone.add_input(name, _input(tensor, sizes, dtype is not None))
        args, kwargs = replaced((call.args, dict(call.kwargs)), lambda tensor: inputs[tensor.name])
        value = call.module(*args, **kwargs)
        for module in then:
            value = module(value)
        results = list(tensors(value))
        rewrite(network_alone, results)
        for index, result in enumerate(results):
            network_alone.mark_output(f"result{index}", result)
    network_alone.calls.clear()  # nothing inside is looked at
    return Alone(network_alone, {tensor: x.name for tensor, x in inputs.items()}, len(results))


def _check(call: Call) -> None:
    if any(isinstance(value, Dim) for value in leaves((call.args, dict(call.kwargs)))):
        raise ModelError(f"{call.path} is given sizes that only the whole network knows")


def _input(tensor: Tensor, sizes: dict[Dim, str], as_whole: bool) -> Input:
    """The declaration of a tensor as an input. as_whole: floating ones get the network's dtype."""
    shape = tuple(sizes.setdefault(n, f"size{len(sizes)}") if isinstance(n, Dim) else n for n in tensor.shape)
    follows = as_whole and dtypes.get(tensor.dtype).is_floating
    return Input(shape, None if follows else tensor.dtype.name)
