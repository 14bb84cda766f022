"""Several outputs of a call: values in order, and by name."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

import trtnet
from trtnet import nn
from trtnet.support.call_interface import NamedOutputs, TensorInfo, by_name, returned


class Detector(nn.Module):
    inputs = {"x": trtnet.Input(("n", 3))}

    def forward(self, x: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        return {"boxes": x * 2, "scores": x.sum(1), "same": x}


def test_values_in_order_and_by_name() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = trtnet.define(Detector()).reference()(x)
    boxes, scores, same = found
    np.testing.assert_array_equal(boxes, x * 2)
    np.testing.assert_array_equal(scores, x.sum(1))
    assert found["boxes"] is boxes and found[1] is scores and found[-1] is same and len(found) == 3
    assert list(found.keys()) == ["boxes", "scores", "same"] and list(found.values()) == [boxes, scores, same]
    assert dict(found) == dict(found.items()) == {**found} and "boxes" in found and "nothing" not in found
    assert found.get("scores") is scores and found.get("nothing") is None
    assert repr(found).startswith("NamedOutputs(boxes=array(")
    with pytest.raises(KeyError, match="no output 'masks'; the outputs are boxes, scores, same"):
        found["masks"]


def test_they_survive_a_pickle() -> None:
    found = pickle.loads(pickle.dumps(NamedOutputs({"a": 1, "b": 2})))
    assert found == (1, 2) and found["b"] == 2


def test_one_output_is_returned_as_it_is() -> None:
    assert returned({"y": 3}) == 3
    assert by_name(3, [TensorInfo("y", (), "float32")]) == {"y": 3}
    assert by_name(NamedOutputs({"y": 3, "z": 4}), []) == {"y": 3, "z": 4}


def test_results_of_the_reference_are_plain_tensors_of_the_callers() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    boxes, scores, same = trtnet.define(Detector()).reference()(x)
    before = x.clone()
    same.mul_(2)  # in place, in ordinary torch code
    boxes.requires_grad_().sum().backward()
    torch.testing.assert_close(x, before)
    assert not any(tensor.is_inference() for tensor in (boxes, scores, same))


def test_outputs_share_no_memory() -> None:
    class Twice(nn.Module):
        inputs = {"x": trtnet.Input((2, 3))}

        def forward(self, x: trtnet.Tensor) -> tuple[trtnet.Tensor, ...]:
            return x, x, x.reshape(3, 2)

    x = np.zeros((2, 3), np.float32)
    first, second, third = trtnet.define(Twice()).reference()(x)
    first += 1
    assert not x.any() and not second.any() and not third.any()
