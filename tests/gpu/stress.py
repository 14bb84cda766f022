"""Many calls from many threads on one engine, with failures among them: what is right stays right, nothing grows.

    NVIDIA_TF32_OVERRIDE=0 python tests/gpu/stress.py [--calls 10000] [--threads 8] [--dtype float16] [--kind pipeline]

LeNet-5 with random weights and two profiles. Each thread calls it at random batch sizes: numpy arrays, given
results, submissions, a session of its own, torch tensors on its own stream, samples for a batcher, pipelines; one more
runs an event loop whose tasks call it, too. Every result is compared with the reference executor's. About one call in
ten must fail, each in its own way: shapes, dtypes, results too small, tensors whose memory was freed, cancelled tasks.
Device memory, what is allocated on the host, and what is resident there are read after 5,000 calls to warm up, and
after each third of the others. With --kind there are calls of one kind alone, to find the one that takes memory.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import itertools
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.host_memory import allocated, resident

import trtnet
from trtnet import models
from trtnet.runtime import Batcher, Engine, Session
from trtnet.support import backend
from trtnet.support.errors import InputError, ProfileError, TrtnetError

PROFILES = [{"batch": (1, 4, 8)}, {"batch": (9, 32, 64)}]
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 24, 32, 48, 64]
POOL = 256
MAX_BATCH = 32
"""Samples that a batcher puts together: it makes batches of any size up to this."""
WARM_UP = 5000
"""Calls after which every session has met every size: TensorRT keeps something for each."""
MEMORY_MARGINS = {"device": 64, "allocated": 64, "resident": 128}
"""MiB that memory may grow by: TensorRT's and CUDA's pools keep what they were once given, glibc what was freed."""
TOLERANCES = {"float32": 1e-4, "float16": 1e-2}
"""Largest error of a logit, relative to the largest logit."""


def network(dtype: str) -> trtnet.DefinedNetwork:
    torch.manual_seed(0)
    convolutions = [torch.nn.Conv2d(1, 6, 5), torch.nn.Conv2d(6, 16, 5)]
    linears = [torch.nn.Linear(400, 120), torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)]
    layers = {f"conv{i + 1}": layer for i, layer in enumerate(convolutions)}
    layers |= {f"fc{i + 1}": layer for i, layer in enumerate(linears)}
    weights = {f"{name}.{key}": value for name, layer in layers.items() for key, value in layer.state_dict().items()}
    inputs = {"image": trtnet.Input(("batch", 1, 28, 28), dtype)}
    return trtnet.define(models.lenet(), inputs, weights, dtype=dtype)


class Samples:
    """Images with their logits by the reference; batches are random rows of them."""

    def __init__(self, reference: Any, dtype: str) -> None:
        self.dtype, self.tolerance = np.dtype(dtype), TOLERANCES[dtype]
        self.images = np.random.default_rng(0).standard_normal((POOL, 1, 28, 28)).astype(dtype)
        parts = [np.asarray(reference(part)) for part in np.split(self.images, POOL // 64)]
        self.logits = np.concatenate(parts)
        self.scale = float(np.abs(self.logits).max())

    def rows(self, rng: random.Random, count: int) -> np.ndarray:
        return np.array([rng.randrange(POOL) for _ in range(count)])

    def check(self, found: Any, rows: Any) -> None:
        difference = np.asarray(found, np.float32) - self.logits[rows].astype(np.float32)
        error = float(np.abs(difference).max()) / self.scale
        assert error < self.tolerance, f"relative error {error}"


@contextmanager
def failing(*kinds: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except kinds:
        return
    raise AssertionError(f"{kinds[0].__name__} was not raised")


class Caller:
    """One thread's calls. batcher: shared with the others. counts: by kind."""

    batcher: Batcher

    def __init__(self, engine: Engine, samples: Samples, seed: int, cuda_graph: bool) -> None:
        self.engine, self.samples = engine, samples
        self.rng = random.Random(seed)
        self.session: Session = engine.session(cuda_graph=cuda_graph)
        self.counts: Counter[str] = Counter()
        self.kinds: list[Callable[[], int]] = [
            *[self.call, self.given, self.submissions, self.own_session, self.batched] * 4,
            self.pipeline, self.wrong_shape, self.wrong_dtype, self.too_small, self.outside, self.left,
        ]  # fmt: skip
        if torch.cuda.is_available():
            self.stream = torch.cuda.Stream()
            self.kinds += [*[self.tensors] * 4, self.freed, self.freed_result]

    def only(self, kind: str) -> None:
        """Makes calls of one kind from now on. Raises StopIteration for an unknown one."""
        self.kinds = [next(call for call in self.kinds if call.__name__ == kind)]

    def step(self) -> int:
        """Makes one call, or a few. Returns how many."""
        kind = self.rng.choice(self.kinds)
        count = kind()
        self.counts[kind.__name__] += count
        return count

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        rows = self.samples.rows(self.rng, self.rng.choice(SIZES))
        return self.samples.images[rows], rows

    def call(self) -> int:
        images, rows = self.batch()
        self.samples.check(self.engine(images), rows)
        return 1

    def given(self) -> int:
        images, rows = self.batch()
        out = np.full((len(rows), 10), np.nan, self.samples.dtype)
        assert self.engine(image=images, out=out) is out
        self.samples.check(out, rows)
        return 1

    def submissions(self) -> int:
        given = [self.batch() for _ in range(2)]
        pending = [self.engine.submit(images) for images, _ in given]
        for one, (_, rows) in zip(pending, given, strict=True):
            self.samples.check(one.result(), rows)
        return 2

    def own_session(self) -> int:
        images, rows = self.batch()
        self.samples.check(self.session(images), rows)
        return 1

    def batched(self) -> int:
        rows = self.samples.rows(self.rng, 4)
        futures = [self.batcher.submit(self.samples.images[row]) for row in rows]
        for future, row in zip(futures, rows, strict=True):
            self.samples.check(future.result(timeout=60), row)
        return len(rows)

    def pipeline(self) -> int:
        given = [self.batch() for _ in range(4)]
        results = self.engine.pipeline((images for images, _ in given), depth=2)
        for found, (_, rows) in zip(results, given, strict=True):
            self.samples.check(found, rows)
        return len(given)

    def tensors(self) -> int:
        images, rows = self.batch()
        with torch.cuda.stream(self.stream):
            found = self.engine(torch.from_numpy(images).cuda()).cpu()
        self.samples.check(found, rows)
        return 1

    # what must fail, alone
    def wrong_shape(self) -> int:
        with failing(InputError):
            self.engine(np.zeros((3, 1, 28, 27), self.samples.dtype))
        return 1

    def wrong_dtype(self) -> int:
        with failing(InputError):
            self.engine(np.zeros((3, 1, 28, 28)))
        return 1

    def outside(self) -> int:
        with failing(ProfileError):
            self.engine(np.zeros((65, 1, 28, 28), self.samples.dtype))
        return 1

    def too_small(self) -> int:
        images, rows = self.batch()
        with failing(InputError):
            self.engine(images, out=np.zeros((len(rows) - 1, 10), self.samples.dtype))
        return 1

    def left(self) -> int:
        rows = self.samples.rows(self.rng, 2)
        stays, leaves = [self.batcher.submit(self.samples.images[row]) for row in rows]
        if not leaves.cancel():
            self.samples.check(leaves.result(timeout=60), rows[1])
        self.samples.check(stays.result(timeout=60), rows[0])
        return 2

    def freed(self) -> int:
        images, _ = self.batch()
        tensor = torch.from_numpy(images).cuda()
        tensor.untyped_storage().resize_(0)
        with failing(InputError):
            self.engine(tensor)
        return 1

    def freed_result(self) -> int:
        images, rows = self.batch()
        given = torch.from_numpy(images).cuda()
        out = given.new_zeros(len(rows), 10)
        out.untyped_storage().resize_(0)
        with failing(InputError):
            self.engine(given, out=out)
        return 1


async def tasks(engine: Engine, batcher: Batcher, samples: Samples, running: Callable[[], bool]) -> Counter[str]:
    """Tasks that await calls and samples; every tenth is cancelled."""
    rng, counts = random.Random(99), Counter[str]()

    async def one(number: int) -> None:
        rows = samples.rows(rng, rng.choice(SIZES))
        single = number % 2 == 0
        call = batcher(samples.images[rows[0]]) if single else engine.acall(samples.images[rows])
        task = asyncio.ensure_future(call)
        if number % 10 == 3:
            await asyncio.sleep(rng.random() * 1e-3)
            task.cancel()
        try:
            samples.check(await task, rows[0] if single else rows)
            counts["awaited"] += 1
        except asyncio.CancelledError:
            counts["cancelled"] += 1

    for start in itertools.count(0, 8):
        if not running():
            return counts
        await asyncio.gather(*(one(start + i) for i in range(8)))
    raise AssertionError


class Run:
    """Threads that share a number of calls, and, unless all are of one kind, a loop of tasks beside them."""

    def __init__(self, engine: Engine, samples: Samples, threads: int, kind: str | None = None) -> None:
        self.engine, self.samples = engine, samples
        self.device = engine.open().device
        self.counts: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self.callers = [Caller(engine, samples, seed, engine.cuda_graph) for seed in range(threads)]
        self.lock, self.left = threading.Lock(), 0
        self.has_tasks = kind is None
        for caller in self.callers if kind is not None else ():
            caller.only(kind)

    def phase(self, calls: int) -> None:
        """Makes so many calls, by all threads together."""
        self.left = calls
        with self.engine.batcher(max_batch=MAX_BATCH, max_delay=0.001) as batcher:
            for caller in self.callers:
                caller.batcher = batcher
            targets = [lambda caller=caller: self.work(caller) for caller in self.callers]
            if self.has_tasks:
                targets.append(lambda: self.loop(batcher))
            threads = [threading.Thread(target=self.guarded, args=(target,)) for target in targets]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self.failures:
            raise self.failures[0]

    def guarded(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            self.failures.append(error)
            self.left = 0

    def work(self, caller: Caller) -> None:
        while self.left > 0:
            made = caller.step()
            with self.lock:
                self.left -= made

    def loop(self, batcher: Batcher) -> None:
        self.counts += asyncio.run(tasks(self.engine, batcher, self.samples, lambda: self.left > 0))

    def memory(self) -> dict[str, int]:
        """Bytes, by kind; of the device's but for a constant."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        self.device.activate()
        return {"device": -self.device.free_memory(), "allocated": allocated(), "resident": resident()}

    def totals(self) -> Counter[str]:
        return sum((caller.counts for caller in self.callers), self.counts.copy())


def stress(engine: Engine, samples: Samples, calls: int, threads: int, kind: str | None = None) -> dict[str, Any]:
    """The calls come in thirds, after others to warm up, which meet every size; memory is read after each."""
    run = Run(engine, samples, threads, kind)
    start = time.perf_counter()
    for size in {*SIZES, *range(1, MAX_BATCH + 1)}:
        engine(samples.images[:size])
    run.phase(WARM_UP)
    print(f"warm-up: {time.perf_counter() - start:.1f} s, {dict(sorted(run.totals().items()))}", flush=True)
    memory, start = [run.memory()], time.perf_counter()
    for _ in range(3):
        run.phase(calls // 3)
        memory.append(run.memory())
    return {
        "calls": dict(sorted(run.totals().items())),
        "seconds": time.perf_counter() - start,
        "growth_mib": {kind: [(at[kind] - memory[0][kind]) / 2**20 for at in memory[1:]] for kind in memory[0]},
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--calls", type=int, default=10000)
    options.add_argument("--threads", type=int, default=8)
    options.add_argument("--dtype", default="float32", choices=TOLERANCES)
    options.add_argument("--no-cuda-graph", action="store_true")
    options.add_argument("--kind", help="call, given, own_session, submissions, batched, pipeline, tensors, ...")
    options.add_argument("--json")
    options.add_argument("--hang", type=float, default=0, help="Show all threads and end after so many seconds.")
    chosen = options.parse_args()
    faulthandler.enable()
    if chosen.hang:
        faulthandler.dump_traceback_later(chosen.hang, exit=True)
    defined = network(chosen.dtype)
    engine = defined.build([dict(profile) for profile in PROFILES])
    engine.cuda_graph = not chosen.no_cuda_graph
    print(f"{engine.open().device.name}, {backend.name()} {backend.version()}, {chosen.threads} threads", flush=True)
    samples = Samples(defined.reference(), chosen.dtype)
    found = stress(engine, samples, chosen.calls, chosen.threads, chosen.kind)
    total = sum(found["calls"].values())
    print(f"{total:,} calls, every result right, every failure its own: {found['calls']}")
    print(f"{found['seconds']:.1f} s after the warm-up")
    grown = found["growth_mib"]
    for kind, growth in grown.items():
        print(f"{kind} memory after each third, MiB beyond the warm-up's: {', '.join(f'{mib:+.1f}' for mib in growth)}")
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(found, indent=2) + "\n")
    for kind, margin in MEMORY_MARGINS.items():
        if grown[kind][-1] > margin:
            sys.exit(f"{kind} memory grew by more than {margin} MiB")


if __name__ == "__main__":
    try:
        main()
    except TrtnetError as error:
        sys.exit(f"{type(error).__name__}: {error}")
