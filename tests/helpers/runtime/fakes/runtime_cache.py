"""The runtime configuration and the cache of kernels that TensorRT-RTX has."""

from __future__ import annotations

from typing import Any

from trtnet.support.backend import trt


class FakeRuntimeCache:
    """loaded: what it was given. kernels: what it holds, a line each.

    refuses: whether it takes nothing.
    """

    refuses = False

    def __init__(self) -> None:
        self.loaded, self.kernels = b"", b"kernels 1"

    def deserialize(self, blob: bytes) -> bool:
        if self.refuses:
            return False
        self.loaded = blob
        self.kernels = b"\n".join(dict.fromkeys([*self.kernels.splitlines(), *blob.splitlines()]))
        return True

    def serialize(self) -> bytes:
        return self.kernels


class FakeRuntimeConfig:
    dynamic_shapes_kernel_specialization_strategy: Any = None
    cuda_graph_strategy: Any = None
    cache: FakeRuntimeCache | None = None
    allocation: Any = trt.ExecutionContextAllocationStrategy.STATIC

    def set_execution_context_allocation_strategy(self, strategy: Any) -> None:
        self.allocation = strategy

    def create_runtime_cache(self) -> FakeRuntimeCache:
        return FakeRuntimeCache()

    def set_runtime_cache(self, cache: FakeRuntimeCache) -> bool:
        self.cache = cache
        return True
