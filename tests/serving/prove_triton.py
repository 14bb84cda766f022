"""10,000 requests to a Triton server of what `trtnet export triton --python` writes, from 16 clients.

    python tests/serving/prove_triton.py [--requests 10000] [--clients 16]

A tenth of them are wrong on purpose, of five kinds. The server is killed (SIGKILL) twice and started again, the model
is updated twice while requests run. Exits with 0 if every answer is right and every error is its own request's.
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
from helpers.tools.triton_server import Server

from trtnet.tools.export.triton.models import served
from trtnet.tools.export.triton.repository import publish
from trtnet.tools.export.triton.serving import Serving
from trtnet.tools.targets.networks import Choices


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
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
