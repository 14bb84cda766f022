"""Executes a built TensorRT network with torch on the CPU: the proof without a GPU."""

from trtnet.support.errors import DependencyError

try:
    import torch  # noqa: F401
except ImportError as error:
    raise DependencyError("the reference executor needs torch: pip install 'trtnet[torch]'") from error

from trtnet.reference.executor import Reference
from trtnet.reference.lockstep import Lockstep

__all__ = ["Lockstep", "Reference"]
