"""The sequences of a Triton server's instance: which stream holds the state of each, by its correlation id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.runtime.streams import Streams
from trtnet.support import dtypes
from trtnet.support.call_interface import by_name
from trtnet.support.errors import ExecutionError, InputError, TrtnetError

Array = np.ndarray[Any, Any]
WARM_CALLS = 4
"""An engine's states are in two buffers that take turns, and the second call of each becomes its CUDA graph."""


@dataclass(frozen=True)
class Chunk:
    """What a request brings. sequence: its correlation id. inputs: by name, each with a first axis of one."""

    sequence: int | str
    starts: bool
    ends: bool
    inputs: Mapping[str, Array]


class Sequences:
    """Sequences that come and go, over the streams of one model.

    The server has no more sequences at a time than there are streams. It does not tell that it has given one up that
    was idle for too long: if all streams are held, a new sequence gets that of the one which was heard least recently.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._held: dict[int | str, int] = {}  # stream by sequence, the least recently heard first
        self._free = [*range(streams.count)]

    @property
    def held(self) -> dict[int | str, int]:
        """The stream of each sequence."""
        return dict(self._held)

    def answers(self, chunks: Sequence[Chunk]) -> list[dict[str, Array] | TrtnetError]:
        """What each chunk gets, of chunks of different sequences: outputs by name, with a first axis of one.

        In its place is the error of a chunk that does not fit, or whose values the model does not take, or of a
        sequence that has not begun here; its state is as it was. If the model fails otherwise, all get its error.
        """
        found: dict[int, dict[str, Array] | TrtnetError] = {}
        places: dict[int, int] = {}
        # the known ones first: none of this step is then the one that was heard least recently
        for place in sorted(range(len(chunks)), key=lambda place: chunks[place].sequence not in self._held):
            try:
                places[self._stream(chunks[place])] = place
            except TrtnetError as error:
                found[place] = error
        for stream, result in self._step({stream: chunks[place] for stream, place in places.items()}).items():
            found[places[stream]] = result
        for place in places.values():
            if chunks[place].ends:
                self._free.append(self._held.pop(chunks[place].sequence))
        return [found[place] for place in range(len(chunks))]

    def warm(self) -> None:
        """Calls the model with zeros, until each of its two buffers has its CUDA graph; streams begin anew after it."""
        count = self._streams.count
        shapes = {
            each: [count if isinstance(size, str) else size for size in each.shape] for each in self._streams.inputs
        }
        zeros = {info.name: np.zeros(shape, dtypes.get(info.dtype).numpy) for info, shape in shapes.items()}
        for _ in range(WARM_CALLS):
            self._streams(**zeros)
        self._streams.reset()

    def _step(self, chunks: Mapping[int, Chunk]) -> dict[int, dict[str, Array] | TrtnetError]:
        rows = {
            stream: {name: array.reshape(array.shape[1:]) for name, array in chunk.inputs.items()}
            for stream, chunk in chunks.items()
        }
        try:
            return {stream: self._answer(result) for stream, result in self._streams.step(rows).items()}
        except ExecutionError as error:  # of the values of one of them: each by itself
            if len(chunks) > 1:
                return {stream: self._step({stream: chunk})[stream] for stream, chunk in chunks.items()}
            return dict.fromkeys(chunks, error)
        except TrtnetError as error:
            return dict.fromkeys(chunks, error)
        except Exception as error:  # all have an answer, and those that end have ended
            return dict.fromkeys(chunks, TrtnetError(f"{type(error).__name__}: {error}"))

    def _answer(self, result: Any) -> dict[str, Array] | TrtnetError:
        if isinstance(result, TrtnetError):
            return result
        return {name: np.asarray(row)[None] for name, row in by_name(result, self._streams.outputs).items()}

    def _stream(self, chunk: Chunk) -> int:
        """The stream of a chunk's sequence, which is now the one that was heard last; from zeros if it starts."""
        if chunk.sequence not in self._held and not chunk.starts:
            raise InputError(
                f"sequence {chunk.sequence} has no state here: it ended, or it was idle for too long, or the server or"
                f" the model was loaded anew. Start it again"
            )
        stream = self._held.pop(chunk.sequence, None)
        if stream is None:
            stream = self._free.pop(0) if self._free else self._held.pop(next(iter(self._held)))
        self._held[chunk.sequence] = stream
        if chunk.starts:
            self._streams.reset(stream)
        return stream
