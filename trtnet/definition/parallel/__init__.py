"""Networks of several ranks: a plan of which modules are divided, and how."""

from trtnet.definition.parallel.plan import TensorParallel

__all__ = ["TensorParallel"]
