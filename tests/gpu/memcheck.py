"""A short run of the whole runtime for compute-sanitizer, without torch:

    compute-sanitizer --tool memcheck --report-api-errors no --error-exitcode 1 python tests/gpu/memcheck.py

(cuda.bindings asks the driver for functions that it may not have: what it answers is no error of ours.)

Sessions with and without CUDA graphs, growing and shrinking batches over two profiles, a pipeline, a batcher, close.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import trtnet
from trtnet.models import lenet

WEIGHTS = Path(__file__).parents[2] / "weights" / "lenet.safetensors"


def main() -> None:
    network = trtnet.define(lenet(), weights=WEIGHTS, dtype="float16")
    rng = np.random.default_rng(0)
    with network.build([{"batch": (1, 4, 8)}, {"batch": (9, 16, 32)}]) as engine:
        for graph in (True, False):
            with engine.session(cuda_graph=graph) as session:
                for batch in (1, 8, 32, 8, 8, 8, 2, 16):
                    images = rng.random((batch, 1, 28, 28)).astype(np.float16)
                    assert np.isfinite(session(images)).all()
        samples = [rng.random((1, 28, 28)).astype(np.float16) for _ in range(50)]
        wanted = engine(np.stack(samples[:32]))
        found = list(engine.pipeline(samples, depth=3, batch=8))
        np.testing.assert_allclose(
            np.stack(found[:32]).astype(np.float32), wanted.astype(np.float32), rtol=1e-2, atol=1e-2
        )
        with engine.batcher(max_batch=8, max_delay=0.002) as batcher:
            pending = [batcher.submit(sample) for sample in samples]
            assert all(np.isfinite(one.result()).all() for one in pending)
    print("done")


if __name__ == "__main__":
    main()
