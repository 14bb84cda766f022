"""Clients of a Triton server: requests of random sizes, a tenth of them wrong on purpose, each answer checked."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tritonclient.grpc as grpc
from helpers.waiting import wait_for
from tritonclient.utils import InferenceServerException, shared_memory

MODEL = """from trtnet import Input, nn
class Sum(nn.Module):
    inputs = {"a": Input(("batch", "length")), "b": Input(("batch", "length"))}
    def __init__(self, factor): self.factor = factor
    def forward(self, a, b): return (a + b) * self.factor
"""
"""What is served: its lengths must be equal, which only the model knows."""
BATCH, LENGTH = 8, 16
SOON = [("grpc.max_reconnect_backoff_ms", 100), ("grpc.use_local_subchannel_pool", 1)]
"""A connection that was lost is tried again at once, by each client."""
GONE = (ConnectionError, http.client.HTTPException, OSError)
MISTAKES: dict[str, str] = {
    "lengths": "length is {a} in a; found [{rows}, {b}]",
    "rank": "unexpected shape for input 'a'",
    "dtype": "data-type is 'INT32'",
    "rows": "batch-size must be <= 8",
    "model": "unknown model",
}
"""Kinds of wrong requests, and what their error says: of the model, and of the server."""


class RejectedError(Exception):
    """The server's error to a request."""


class Load:
    """Requests from several threads. factors: right answers are (a + b) times one of these.

    ports: (HTTP, gRPC) of the server. Every other thread speaks gRPC, the others HTTP. A request whose connection fails
    is sent again until it is answered: the server may be killed and started again meanwhile. An answer is right by the
    factors of any time between the last sending and the answer.
    """

    def __init__(self, ports: tuple[int, int], model: str, factors: tuple[float, ...]) -> None:
        self._http, self._grpc = ports
        self._model = model
        self._factors = [factors]
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def factors(self) -> tuple[float, ...]:
        return self._factors[-1]

    @factors.setter
    def factors(self, factors: tuple[float, ...]) -> None:
        self._factors.append(factors)

    def run(self, requests: int, clients: int, during: Callable[[Load], None] = lambda load: None) -> None:
        """Sends them, and does something `during` it. Raises AssertionError for a wrong answer, or a wrong error."""
        numbers = itertools.count()
        with ThreadPoolExecutor(clients) as pool:
            futures = [pool.submit(self._client, index, numbers, requests) for index in range(clients)]
            during(self)
            for future in futures:
                future.result()
        assert self.counts["answers"] == requests, self.counts

    def wait_for(self, answers: int) -> None:
        """Waits until there are so many answers."""
        wait_for(lambda: self.counts["answers"] >= answers, 600, lambda: self.counts, pause=0.002)

    def _client(self, index: int, numbers: Any, requests: int) -> None:
        with (GrpcChannel if index % 2 else HttpChannel)(self._grpc if index % 2 else self._http) as channel:
            while (number := next(numbers)) < requests:
                self._request(channel, number)

    def _request(self, channel: Any, number: int) -> None:
        chance = random.Random(number)
        rows, length = chance.randint(1, BATCH), chance.randint(1, LENGTH)
        mistake = chance.choice([*MISTAKES]) if chance.random() < 0.1 else None
        arrays, model = _arrays(mistake, rows, length, number), "unknown" if mistake == "model" else self._model
        kind = "right"
        try:
            found, since = self._sent(channel, model, arrays)
        except RejectedError as error:
            kind = f"wrong: {mistake}"
            assert mistake is not None, f"request {number} was refused: {error}"
            sizes = {"rows": rows, "a": length, "b": length + 1}
            assert MISTAKES[mistake].format(**sizes) in str(error), f"request {number} ({mistake}): {error}"
        else:
            assert mistake is None, f"request {number} ({mistake}) was answered"
            total = arrays["a"] + arrays["b"]
            factors = {factor for each in self._factors[since:] for factor in each}
            assert any(np.array_equal(found, total * factor) for factor in factors), f"request {number}: {found}"
        with self._lock:
            self.counts.update(["answers", kind])

    def _sent(self, channel: Any, model: str, arrays: dict[str, Any]) -> tuple[Any, int]:
        """(the answer, which factors counted when its request was sent)."""

        def send() -> tuple[Any, int] | None:
            since = len(self._factors) - 1
            try:
                return channel.infer(model, arrays), since
            except GONE:
                with self._lock:
                    self.counts["sent again"] += 1
                return None

        found = wait_for(send, 300, lambda: "the server did not come back", pause=0.05)
        assert found is not None
        return found


def _arrays(mistake: str | None, rows: int, length: int, number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    rows = BATCH + 1 if mistake == "rows" else rows
    shape = (rows, length, 2) if mistake == "rank" else (rows, length)
    other = (rows, length + 1) if mistake == "lengths" else (rows, length)
    a = rng.integers(-100, 100, shape).astype(np.int32 if mistake == "dtype" else np.float32)
    return {"a": a, "b": rng.integers(-100, 100, other).astype(np.float32)}


class GrpcChannel:
    def __init__(self, port: int, output: str = "output") -> None:
        self._output = output
        self._client = grpc.InferenceServerClient(f"127.0.0.1:{port}", channel_args=SOON)

    def __enter__(self) -> GrpcChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def infer(self, model: str, arrays: dict[str, Any], **sequence: Any) -> Any:
        inputs = []
        for name, array in arrays.items():
            inputs.append(grpc.InferInput(name, array.shape, "INT32" if array.dtype == np.int32 else "FP32"))
            inputs[-1].set_data_from_numpy(array)
        try:
            return self._client.infer(model, inputs, **sequence).as_numpy(self._output)
        except InferenceServerException as error:
            gone = ("UNAVAILABLE", "CANCELLED")
            lost = any(word in str(error.status()) for word in gone) and "unknown model" not in error.message()
            raise ConnectionError(str(error)) if lost else RejectedError(error.message()) from error


class HttpChannel:
    """The server's protocol in JSON, by Python's own client."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> HttpChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def infer(self, model: str, arrays: dict[str, Any], **sequence: Any) -> Any:
        inputs = [
            {
                "name": name, "shape": array.shape, "data": array.ravel().tolist(),
                "datatype": "INT32" if array.dtype == np.int32 else "FP32",
            }
            for name, array in arrays.items()
        ]  # fmt: skip
        try:
            asked = {"inputs": inputs, "parameters": sequence}
            self._connection.request("POST", f"/v2/models/{model}/infer", json.dumps(asked))
            answer = self._connection.getresponse()
            document = json.loads(answer.read())
        except GONE:
            self._connection.close()
            raise
        if answer.status == 503:
            raise ConnectionError(document)
        if answer.status != 200:
            raise RejectedError(document["error"])
        (output,) = document["outputs"]
        return np.array(output["data"], np.float32).reshape(output["shape"])


def by_shared_memory(port: int, model: str, arrays: dict[str, Any]) -> Any:
    """One call whose arrays the server reads from, and writes to, memory that it shares with the client."""
    client = grpc.InferenceServerClient(f"127.0.0.1:{port}")
    sizes = {name: array.nbytes for name, array in arrays.items()}
    output_size = next(iter(sizes.values()))
    regions, inputs = {}, []
    try:
        for name, size in (sizes | {"output": output_size}).items():
            regions[name] = shared_memory.create_shared_memory_region(f"trtnet_{name}", f"/trtnet_{port}_{name}", size)
            client.register_system_shared_memory(f"trtnet_{name}", f"/trtnet_{port}_{name}", size)
        for name, array in arrays.items():
            shared_memory.set_shared_memory_region(regions[name], [array])
            inputs.append(grpc.InferInput(name, array.shape, "FP32"))
            inputs[-1].set_shared_memory(f"trtnet_{name}", sizes[name])
        output = grpc.InferRequestedOutput("output")
        output.set_shared_memory("trtnet_output", output_size)
        client.infer(model, inputs, outputs=[output])
        shape = next(iter(arrays.values())).shape
        return shared_memory.get_contents_as_numpy(regions["output"], np.float32, shape).copy()
    finally:
        _unregistered(client)
        for region in regions.values():
            shared_memory.destroy_shared_memory_region(region)
        client.close()


def _unregistered(client: grpc.InferenceServerClient, seconds: float = 10) -> None:
    """The server lets its memory go, which it refuses while a request that was answered still holds it."""
    refused: list[InferenceServerException] = []

    def let_go() -> bool:
        try:
            client.unregister_system_shared_memory()
        except InferenceServerException as error:
            refused.append(error)
            return False
        return True

    wait_for(let_go, seconds, lambda: f"the server keeps its memory: {refused[-1]}", pause=0.05)
