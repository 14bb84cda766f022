"""Runs engines: one runtime for all of them."""

from trtnet.runtime.engine import Engine, load
from trtnet.runtime.session import Pending, Session

__all__ = ["Engine", "Pending", "Session", "load"]
