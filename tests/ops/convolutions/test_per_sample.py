"""Convolutions whose kernels are computed for each sample, of a batch that is named, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import trtnet
from trtnet.graph.structures import leaves


class Modulated(nn.Module):
    """As in StyleGAN2 and dynamic convolutions: the samples are groups of channels of one image."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels, self.biases = nn.Linear(5, 3 * 4 * 3 * 3), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> Any:
        batch, channels, height, width = x.shape
        one, line = x.reshape(1, batch * channels, height, width), x[:, :, 0].reshape(1, batch * channels, width)
        weight, bias = self.kernels(z).view(batch * 3, channels, 3, 3), self.biases(z).view(-1)
        back = weight.view(batch, 3, channels, 3, 3).transpose(1, 2).reshape(batch * channels, 3, 3, 3)
        a = F.conv2d(one, weight, bias, padding=1, groups=batch).view(batch, 3, height, width)
        b = F.conv2d(one, weight, None, (2, 1), (1, 0), (1, 2), batch)
        c = F.conv_transpose2d(one, back, bias, stride=2, padding=1, output_padding=1, groups=batch)
        d = F.conv1d(line, weight[..., 0], padding="same", groups=batch).view(batch, 3, width)
        e = F.conv_transpose1d(line, back[..., 1], stride=2, groups=batch)
        return a, b.view(batch, 3, *b.shape[2:]), c.view(batch, 3, *c.shape[2:]), d, e.view(batch, 3, -1)


def defined(dtype: str = "float32") -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    module = Modulated().eval()
    inputs = {"x": trtnet.Input(("batch", 4, 6, 7)), "z": trtnet.Input(("batch", 5))}
    return module, trtnet.define(module, inputs, dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 5e-3)])
def test_each_sample_has_its_kernel(dtype: str, tolerance: float) -> None:
    module, network = defined(dtype)
    for batch in (1, 3):
        x, z = torch.randn(batch, 4, 6, 7), torch.randn(batch, 5)
        with torch.no_grad():
            expected = module(x, z)
        found = network.reference()(*(each.to(getattr(torch, dtype)) for each in (x, z)))
        for ours, theirs in zip(leaves(found), expected, strict=True):
            torch.testing.assert_close(torch.as_tensor(ours).float(), theirs, rtol=tolerance, atol=tolerance)


def test_they_build_ahead_of_time() -> None:
    assert len(defined()[1].build({"batch": (1, 2, 4)}).plan.data) > 1000


def test_what_is_no_batch_of_samples_is_refused() -> None:
    class Wrong(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return F.conv2d(x[:, :, None, None], x[:, :, None, None], groups=x.shape[0])

    with pytest.raises(trtnet.LayerError, match="takes samples as channels"):
        trtnet.define(Wrong().eval(), {"x": trtnet.Input(("batch", 4))})
