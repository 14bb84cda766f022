"""A GPU made of numpy, an engine made of the reference executor, a torch of CUDA tensors: they check how they are used.

What a FakeDevice is told to do happens when a stream is synchronized, and not before. An assertion fails if
host memory is touched while a queued copy still needs it, a copy or an execution leaves the memory it was given, memory
is used after it was dropped, a call comes from a thread that did not activate the device, a context is used by two
threads at once, executed with an input's shape or any address unset, or given an address that is not aligned device
memory.
"""

from helpers.runtime.fakes.device import FakeDevice, FakeStream
from helpers.runtime.fakes.engine import FakeContext, FakeEngine
from helpers.runtime.fakes.opener import Opener
from helpers.runtime.fakes.runtime_cache import FakeRuntimeCache, FakeRuntimeConfig
from helpers.runtime.fakes.torch_tensors import Tensor

__all__ = [
    "FakeContext",
    "FakeDevice",
    "FakeEngine",
    "FakeRuntimeCache",
    "FakeRuntimeConfig",
    "FakeStream",
    "Opener",
    "Tensor",
]
