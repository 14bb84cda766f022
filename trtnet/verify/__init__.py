"""Proof: how far the results of one thing are from those of another, and where they part."""

from trtnet.verify.compare import compare
from trtnet.verify.metrics import Metrics, measure
from trtnet.verify.report import Comparison
from trtnet.verify.tolerances import EXACT, TOLERANCES, Tolerance

__all__ = ["EXACT", "TOLERANCES", "Comparison", "Metrics", "Tolerance", "compare", "measure"]
