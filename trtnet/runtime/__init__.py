"""Runs engines: one runtime for all of them."""

from trtnet.runtime.engine import Engine, load
from trtnet.runtime.pending import Pending
from trtnet.runtime.session import Session

__all__ = ["Engine", "Pending", "Session", "load"]
