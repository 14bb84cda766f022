"""How a model is served: what the command line says of batches, instances, versions and steps around it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from trtnet.support.errors import PlanError

LARGEST = 2**31
LONGEST = 10**9
LEAST = {"version": 1, "versions": 1, "instances": 1, "delay": 0}
STRATEGIES = ("oldest", "direct")
"""Which requests make a batch: those that wait longest, of any sequences; or those of all slots, each of a sequence."""


@dataclass(frozen=True)
class Serving:
    """How the model is served.

    max_batch_size: the most samples that Triton puts into one batch; None for the most that all profiles' together
    allow, 0 for requests that bring their batch axis themselves. delay: microseconds that a sample waits for others.
    instances: executions at a time on each GPU. gpus: their numbers; () for all that the server has.
    version: of the model; None for the next one. versions: how many of the latest are served.
    warmup: whether each instance is run once for each batch size that profiles are tuned for, before it is ready.
    cache: whether the server keeps responses: it is started with ``--cache-config local,size=BYTES`` then.
    sequences: how the server batches the sequences of a model with states, see STRATEGIES. idle: seconds without a
    request after which it gives a sequence up.
    """

    max_batch_size: int | None = None
    delay: int = 100
    instances: int = 1
    version: int | None = None
    gpus: tuple[int, ...] = ()
    versions: int = 1
    warmup: bool = False
    cache: bool = False
    sequences: str = "oldest"
    idle: float = 60.0

    def check(self) -> None:
        """Raises PlanError for numbers that Triton does not take."""
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise PlanError(f"{name} is {value}; it is at least {least}")
        if self.sequences not in STRATEGIES:
            raise PlanError(f"sequences are batched by one of {', '.join(STRATEGIES)}; found {self.sequences!r}")
        if not 1e-6 <= self.idle <= LONGEST:
            raise PlanError(f"a sequence may be idle for more than 0 and at most {LONGEST} seconds; found {self.idle}")
        numbers: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        if max(numbers.pop("delay"), numbers.pop("version") or 0) >= 2**63 or any(
            isinstance(number, int) and number >= LARGEST for number in (*numbers.values(), *self.gpus)
        ):
            raise PlanError(f"one of these numbers is too large for Triton: {self}")
