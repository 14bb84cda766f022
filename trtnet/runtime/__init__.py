"""Runs engines: one runtime for all of them."""

from trtnet.runtime.calls.pending import Pending
from trtnet.runtime.cuda.nccl import Communicator
from trtnet.runtime.engine import Engine, load
from trtnet.runtime.options import EngineOptions
from trtnet.runtime.serving.batcher import Batcher
from trtnet.runtime.serving.replicas import Replicas
from trtnet.runtime.session import Session
from trtnet.runtime.streams import Streams

__all__ = ["Batcher", "Communicator", "Engine", "EngineOptions", "Pending", "Replicas", "Session", "Streams", "load"]
