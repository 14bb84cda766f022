"""Several GPUs of one host: replicas, and the ranks of a tensor-parallel engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from benchmarks import tensor_parallel
from helpers.gpu.engines import engine, equal, x
from helpers.gpu.ranks import together, values

from trtnet.support.backend import supports

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.alone,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs in one machine"),
]
ranks = pytest.mark.skipif(not supports("collectives"), reason="this TensorRT has no collectives")


def test_replicas_give_what_one_gpu_gives() -> None:
    replicas = engine().replicas([0, 1])
    given = [x(n) * (n % 50) for n in (1, 8, 300, 9) * 10]
    for found, values_ in zip(replicas.pipeline(given), given, strict=True):
        equal(found, values_)
    for pending, values_ in zip([replicas.submit(each) for each in given], given, strict=True):
        equal(pending.result(), values_)


@ranks
def test_an_engine_whose_collectives_do_nothing_is_refused_at_its_first_call() -> None:
    found = tensor_parallel.check(2)
    assert all(text.startswith("it ran") for text in found["none"]), found
    assert found["caught"] == [True, True], found


@ranks
def test_a_vit_of_two_ranks_gives_what_one_gpu_gives() -> None:
    sizes = {"image_size": 64, "num_layers": 2, "num_heads": 4, "hidden_dim": 128, "mlp_dim": 256}
    divided = values(together(tensor_parallel.vit_rank, 2, sizes, False))
    (whole,) = values(together(tensor_parallel.vit_rank, 1, sizes, True))
    assert tensor_parallel.error_of(divided[0]["logits"], whole["logits"]) < 1e-2
    assert tensor_parallel.error_of(divided[0]["logits"], whole["lockstep"]) < 1e-2
    np.testing.assert_array_equal(divided[0]["logits"], divided[1]["logits"])
