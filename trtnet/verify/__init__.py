"""Verification: how far the results of one source are from those of another, and where they first differ."""

from trtnet.verify.comparison.compare import compare
from trtnet.verify.comparison.report import Comparison
from trtnet.verify.metrics.array_metrics import Metrics, measure
from trtnet.verify.metrics.tolerances import EXACT, TOLERANCES, Tolerance

__all__ = ["EXACT", "TOLERANCES", "Comparison", "Metrics", "Tolerance", "compare", "measure"]
