"""Clients of a Triton server that send sequences: each chunk gets the mean of its sequence so far."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from helpers.tools.triton_clients import GONE, GrpcChannel, HttpChannel, RejectedError
from helpers.waiting import wait_for

MEAN = """import trtnet
class Mean(trtnet.nn.Module):
    inputs = {
        "x": trtnet.Input(("streams", 2)), "total": trtnet.State(("streams", 2)),
        "steps": trtnet.State((1, "streams"), axis=1),
    }
    def forward(self, x, total, steps):
        total, steps = total + x, steps + 1
        return {"output": total / steps.permute(1, 0), "total": total, "steps": steps}
"""
"""What is served."""
LONGEST = 12
MISTAKES = {"unexpected shape for input 'x'": ((1, 3), np.float32), "data-type is 'INT32'": ((1, 2), np.int32)}
"""Chunks that do not fit, by what their error says."""
ANEW = "must specify the START flag"
"""The server's error to a sequence that it does not know, since it was started after it."""


class Talk:
    """Sequences of random lengths, from clients that speak one after another; every other one by gRPC, else by HTTP.

    kills: whether the server is killed meanwhile, so that a sequence may have to begin anew.
    """

    def __init__(self, ports: tuple[int, int], model: str, *, kills: bool = False) -> None:
        self._http, self._grpc = ports
        self._model, self._kills = model, kills
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self, sequences: int, clients: int, during: Callable[[Talk], None] = lambda talk: None) -> None:
        """Sends them, and does something `during` it. Raises AssertionError for a wrong answer, or a wrong error."""
        numbers = itertools.count(1)
        with ThreadPoolExecutor(clients) as pool:
            futures = [pool.submit(self._client, index, numbers, sequences) for index in range(clients)]
            during(self)
            for future in futures:
                future.result()
        assert self.counts["sequences"] == sequences, self.counts

    def wait_for(self, sequences: int) -> None:
        """Waits until so many have ended."""
        wait_for(lambda: self.counts["sequences"] >= sequences, 600, lambda: self.counts, pause=0.002)

    def _client(self, index: int, numbers: Any, sequences: int) -> None:
        with (GrpcChannel if index % 2 else HttpChannel)(self._grpc if index % 2 else self._http) as channel:
            while (number := next(numbers)) <= sequences:
                wait_for(partial(self._answered, channel, number), 300, lambda: self.counts, pause=0.05)
                self._count("sequences")

    def _answered(self, channel: Any, number: int) -> bool:
        """Whether a whole sequence was answered. Where no server is killed, each is at once."""
        is_whole = self._spoken(channel, number)
        assert is_whole or self._kills, f"sequence {number} was lost"
        if not is_whole:
            self._count("tried again")
        return is_whole

    def _spoken(self, channel: Any, number: int) -> bool:
        """Whether a whole sequence was answered; it was lost otherwise."""
        chance, rng = random.Random(number), np.random.default_rng(number)
        values = rng.integers(-100, 100, (chance.randint(1, LONGEST), 1, 2)).astype(np.float32)
        identity: int | str = number if number % 3 else f"s{number}"
        for step, x in enumerate(values):
            flags = {"sequence_start": step == 0, "sequence_end": step + 1 == len(values)}
            try:
                if step and chance.random() < 0.1:
                    self._mistaken(channel, identity, chance.choice([*MISTAKES]))
                found = channel.infer(self._model, {"x": x}, sequence_id=identity, **flags)
            except GONE:
                return False
            except RejectedError as error:
                assert ANEW in str(error), f"sequence {identity}: {error}"
                return False
            expected = values[: step + 1].sum(0) / np.float32(step + 1)
            assert np.array_equal(found, expected), f"sequence {identity}, chunk {step}: {found}, not {expected}"
            self._count("chunks")
        return True

    def _mistaken(self, channel: Any, identity: int | str, said: str) -> None:
        shape, dtype = MISTAKES[said]
        flags = {"sequence_start": False, "sequence_end": False}
        try:
            channel.infer(self._model, {"x": np.ones(shape, dtype)}, sequence_id=identity, **flags)
        except RejectedError as error:
            assert said in str(error) or ANEW in str(error), f"sequence {identity}: {error}"
        else:
            raise AssertionError(f"sequence {identity}: a chunk {shape} {dtype} was answered")
        self._count(f"wrong: {said}")

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1
