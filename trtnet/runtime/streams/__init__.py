"""Networks with states, called for a step of several streams."""

from trtnet.runtime.streams.streams import Streams

__all__ = ["Streams"]
