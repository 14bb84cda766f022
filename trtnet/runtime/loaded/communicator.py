"""The communicator of an engine that is one rank of several."""

from __future__ import annotations

from typing import Any

from trtnet.builder.plan import PlanInfo
from trtnet.runtime.cuda.nccl import Communicator
from trtnet.runtime.options import EngineOptions
from trtnet.support.errors import InputError


def communicator_of(info: PlanInfo, options: EngineOptions) -> Any:
    """As TensorRT takes it; None for an engine that is whole.

    Raises InputError where one is missing, or does not belong to the engine.
    """
    given = options.communicator
    which = f"the engine is rank {info.rank} of {info.ranks}" if info.ranks > 1 else "the engine is whole"
    if (given is None) != (info.ranks == 1):
        need = (
            "give EngineOptions(communicator=trtnet.Communicator(rank, ranks, path))" if given is None else "give none"
        )
        raise InputError(f"{which}: {need}")
    if not isinstance(given, Communicator):
        return given
    if (given.rank, given.ranks) != (info.rank, info.ranks):
        raise InputError(f"{which}, and the communicator is of rank {given.rank} of {given.ranks}")
    return given.capsule
