"""10,000 requests to a Triton server of what `trtnet export triton --python` writes, from 16 clients.

    python tests/serving/prove_triton.py [--requests 10000] [--clients 16]
    python tests/serving/prove_triton.py --sequences 2000 [--strategy direct]

A tenth of them are wrong on purpose, of five kinds. The server is killed (SIGKILL) twice and started again, the model
is updated twice while requests run. With --sequences, a model with states gets sequences of 1 to 12 chunks, more at a
time than it has streams; those that a killed server has lost begin anew.
Exits with 0 if every answer is right and every error is its own request's.
Needs nvidia-pytriton: pip install --no-deps nvidia-pytriton==0.7.0
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.tools.triton_clients import BATCH, LENGTH, MODEL, Load
from helpers.tools.triton_sequences import MEAN, Talk
from helpers.tools.triton_server import Server

from trtnet.tools.export.triton.models import served
from trtnet.tools.export.triton.repository import publish
from trtnet.tools.export.triton.serving import Serving
from trtnet.tools.targets.networks import Choices


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--sequences", type=int, default=0)
    parser.add_argument("--strategy", default="oldest")
    options = parser.parse_args()
    if options.sequences:
        talk(options.sequences, options.clients, options.strategy)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, 2)
        with Server(folder / "models", folder) as server:
            calm(server, options.clients)
            load = Load((server.http, server.grpc), "sum", (2,))
            began = time.monotonic()
            load.run(options.requests, options.clients, lambda load: disturb(load, folder, server, options.requests))
            print(f"{options.requests} requests in {time.monotonic() - began:.1f} s, restarts and updates with them")
            print(dict(sorted(load.counts.items())))
            print("executions of batches since the last start:", server.counts("nv_inference_exec_count"))
            print("requests since the last start:", server.counts("nv_inference_request_success"))


def talk(sequences: int, clients: int, strategy: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mean.py").write_text(MEAN)
        made = served(f"{folder}/mean.py:Mean", Choices(dims=["streams=1:4:4"]), python=True)
        publish(made, folder / "models", "mean", Serving(instances=2, sequences=strategy))
        with Server(folder / "models", folder) as server:
            calm = Talk((server.http, server.grpc), "mean")
            began = time.monotonic()
            calm.run(200, clients)
            print(f"undisturbed: {calm.counts['chunks'] / (time.monotonic() - began):.0f} chunks/s", flush=True)
            killed = Talk((server.http, server.grpc), "mean", kills=True)
            killed.run(sequences, clients, lambda talk: kill_twice(talk, server, sequences))
            print(dict(sorted(killed.counts.items())))


def kill_twice(talk: Talk, server: Server, sequences: int) -> None:
    for turn in (1, 2):
        talk.wait_for(sequences * turn // 3)
        server.kill()
        server.start()
        print(f"killed and started again at {talk.counts['sequences']} sequences", flush=True)


def write(folder: Path, factor: int) -> None:
    (folder / "mine.py").write_text(MODEL)
    choices = Choices(dims=[f"batch=1:4:{BATCH}", f"length=1:8:{LENGTH}"], arguments=[f"factor={factor}"])
    publish(served(f"{folder}/mine.py:Sum", choices, python=True), folder / "models", "sum", Serving(instances=2))


def calm(server: Server, clients: int) -> None:
    load = Load((server.http, server.grpc), "sum", (2,))
    began = time.monotonic()
    load.run(1000, clients)
    print(f"undisturbed: {1000 / (time.monotonic() - began):.0f} requests/s", flush=True)


def disturb(load: Load, folder: Path, server: Server, requests: int) -> None:
    for turn, factor in enumerate((3, 5), 1):
        load.wait_for(requests * (2 * turn - 1) // 6)
        server.kill()
        server.start()
        print(f"killed and started again at {load.counts['answers']} answers", flush=True)
        load.wait_for(requests * turn // 3)
        load.factors = (*load.factors, factor)
        write(folder, factor)
        server.load("sum")
        load.factors = (factor,)
        print(f"updated at {load.counts['answers']} answers", flush=True)


if __name__ == "__main__":
    main()
