"""What can be said of a module that was found to differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from trtnet.definition import DefinedNetwork
from trtnet.graph.calls import Call
from trtnet.support.text.counted import an
from trtnet.verify.bisection.diagnosis import scale, settings_that_differ, weights_that_differ
from trtnet.verify.bisection.module_values import is_leaf
from trtnet.verify.bisection.pairs import Pair, Pairs
from trtnet.verify.bisection.rerun import JUMP
from trtnet.verify.bisection.result import Row, Verdict
from trtnet.verify.bisection.torch_recording import Original
from trtnet.verify.metrics.array_metrics import measure

RIGHT = (Verdict.AGREES, Verdict.CLEARED)
OF_FORWARD = (Verdict.FAULT, Verdict.SHAPE, Verdict.LAYOUT, Verdict.DIFFERS)
PLAIN = {"Identity", "Dropout"}
ADVICE = {
    Verdict.OVERFLOW: "it agrees in float32: its values are too large for its dtype; see trtnet precision",
    Verdict.ROUNDS: "it agrees in float32: its dtype is too coarse for it; see trtnet precision",
    Verdict.KERNEL: "the CPU reference agrees with torch on the same layers and dtypes: TensorRT differs",
}

Compare = Callable[[Row, Call], tuple[Pairs, Pairs]]


class Explanation:
    """Reasons for a finding, from all judged calls and the original. compare: the pairs of a call's values."""

    def __init__(
        self, network: DefinedNetwork, original: Original, judged: Sequence[tuple[Row, Call]], compare: Compare
    ) -> None:
        self.network, self.original, self.judged, self.compare = network, original, judged, compare

    def of(self, row: Row, call: Call) -> tuple[str, ...]:
        """The reasons, the plainest first."""
        found = [*self._differences(row, call), *self._numbers(row, call)]
        if row.verdict in OF_FORWARD and not is_leaf(call.module):
            found += self._inside(row)
        return tuple(filter(None, (ADVICE.get(row.verdict, ""), *found)))

    def _differences(self, row: Row, call: Call) -> Iterator[str]:
        theirs = self.original.module(row.path)
        if theirs is not None:
            yield from settings_that_differ(call.module, theirs)
            kinds = row.kind, type(theirs).__name__
            of_torch = type(theirs).__module__.startswith("torch.nn")
            if of_torch and is_leaf(call.module) and kinds[0] != kinds[1] and not set(kinds) <= PLAIN:
                yield f"it is {an(kinds[0])} here, {an(kinds[1])} in torch"
        yield from weights_that_differ(self.network, row.path, call.module, self.original)

    def _numbers(self, row: Row, call: Call) -> Iterator[str]:
        _, outputs = self.compare(row, call)
        worst = max(outputs.pairs, key=lambda one: one.error, default=None)
        if worst is None:
            return
        factor = scale(worst.found, worst.expected)
        if factor is not None:
            yield f"its output is {factor:.4g} times torch's"
        place = measure(worst.found, worst.expected).worst
        if place is not None:
            yield f"the largest difference is at {place}"

    def _inside(self, row: Row) -> Iterator[str]:
        """Which modules in it agree, and where one first gets something else."""
        inner = [
            (r, c)
            for r, c in self.judged
            if r.path != row.path and r.path.startswith(f"{row.path}." if row.path else "")
        ]
        limit = max(row.budget, JUMP * (row.inputs or 0.0))
        first = next((i for i, (r, _) in enumerate(inner) if r.inputs is not None and r.inputs > limit), None)
        if first is None:
            yield "what differs is in its own forward: no module in it gets or gives anything else than torch's"
        else:
            given = self._given(*inner[first])
            agree = [r.name for r, _ in inner[:first] if r.verdict in RIGHT]
            after = f", after {agree[-1]}, which agrees" if agree else ""
            yield f"what differs is in its own forward, before it calls {inner[first][0].name}: {given}{after}"
        here = {path.rpartition(".")[2] for path in self.network.modules.values()}
        theirs = self.original.module(row.path)
        others = (
            []
            if theirs is None
            else [
                (n, type(m).__name__)
                for n, m in theirs.named_children()
                if n not in here and type(m).__name__ not in PLAIN
            ]
        )
        if others:
            names = ", ".join(f"{name} ({kind})" for name, kind in others)
            yield f"torch has modules for what is written in forward here: {names}"

    def _given(self, row: Row, call: Call) -> str:
        inputs, _ = self.compare(row, call)
        worst = max(inputs.pairs, key=lambda one: one.error, default=None)
        return f"its {worst.name} {_how(worst, inputs)}" if worst is not None else "its inputs differ"


def _how(pair: Pair, inputs: Pairs) -> str:
    if pair.found.dtype == np.bool_ and np.array_equal(pair.found, ~pair.expected.astype(np.bool_)):
        return "is torch's inverted"
    for other in inputs.pairs:
        if other.name != pair.name and other.expected.shape == pair.found.shape and _close(pair, other):
            return f"is torch's {other.name}"
    factor = scale(pair.found, pair.expected)
    return f"differs by {pair.error:.1e}" if factor is None else f"is {factor:.4g} times torch's"


def _close(pair: Pair, other: Pair) -> bool:
    return bool(np.allclose(pair.found.astype(np.float64), other.expected.astype(np.float64), 1e-3, 1e-3))
