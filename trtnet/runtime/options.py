"""How an engine is run: chosen before its first call, frozen from then on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trtnet.support.errors import InputError


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is run, for ``trtnet.load(path, options=EngineOptions(cuda_graph=False))``.

    specialize: whether TensorRT-RTX may compile kernels specialized for the shapes it sees. None leaves it to trtnet,
    which does not allow it for dynamic float32 networks: TensorRT-RTX 1.6 computes some of them wrong with such
    kernels, and runs some much slower without. Set it to True if you have compared the results.
    concurrency: the number of calls that run concurrently, each with its own device memory; further calls wait in
    order of arrival.
    cuda_graph: whether calls whose shapes and addresses recur are captured as CUDA graphs, as in a session; calls with
    numpy arrays are. "backend" leaves it to TensorRT-RTX.
    weight_streaming_budget: how much of the weights of an engine built with weight_streaming may be on the GPU at once,
    in bytes or as "1.5GiB"; the rest is streamed from host memory when layers need it. None: all of them.
    communicator: of an engine that is one rank of several: a :class:`trtnet.Communicator`, or an ``ncclComm_t`` of
    someone else's, in a PyCapsule.
    Raises InputError for a value of another type or range.
    """

    specialize: bool | None = None
    concurrency: int = 8
    cuda_graph: bool | str = True
    weight_streaming_budget: int | str | None = None
    communicator: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.specialize not in (None, True, False):
            raise InputError(f"specialize is True, False or None; found {self.specialize!r}")
        if type(self.concurrency) is not int or self.concurrency < 1:
            raise InputError(f"concurrency is a number of calls, at least 1; found {self.concurrency!r}")
        if not isinstance(self.cuda_graph, bool) and self.cuda_graph != "backend":
            raise InputError(f'cuda_graph is True, False or "backend"; found {self.cuda_graph!r}')
