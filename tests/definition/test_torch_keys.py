"""Weights of published modules keep their names; a bug that is planted in one is found by its path."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from helpers.originals import import_torchvision
from torch import nn

import trtnet

torchvision = import_torchvision()
timm = pytest.importorskip("timm")

SMALL = {"depths": (1, 1, 1, 1), "embed_dim": 24, "num_heads": (1, 2, 4, 8)}
MODULES: dict[str, tuple[Callable[[], nn.Module], int]] = {  # and the size of their images
    "resnet18": (torchvision.models.resnet18, 32),
    "mobilenet_v3_small": (torchvision.models.mobilenet_v3_small, 32),
    "shufflenet_v2_x0_5": (torchvision.models.shufflenet_v2_x0_5, 32),
    "swin": (lambda: timm.create_model("swin_tiny_patch4_window7_224", **SMALL), 224),
    "vit": (lambda: timm.create_model("vit_tiny_patch16_224", depth=1, img_size=32), 32),
    "beit": (lambda: timm.create_model("beit_base_patch16_224", depth=1, embed_dim=48, num_heads=2, img_size=32), 32),
    "lcnet": (lambda: timm.create_model("lcnet_035"), 32),
}

BATCH_NORM = {"weight", "bias", "running_mean", "running_var"}
"""Of a batch norm and of the convolution that it is folded into."""
FOLDED: dict[str, set[str]] = {
    "swin": {"relative_position_bias_table"},
    "beit": {"relative_position_bias_table", "q_bias", "v_bias"},
}
"""What torch computes before the network reads it."""


@pytest.mark.parametrize("name", MODULES)
def test_every_weight_has_its_key_or_is_recorded_as_folded(name: str) -> None:
    make, size = MODULES[name]
    module = make().eval()
    network = trtnet.define(module, {"x": torch.zeros(1, 3, size, size)})
    used = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    assert network.named | network.folded == used
    assert not network.named & network.folded
    expected = set() if name == "vit" else FOLDED.get(name, BATCH_NORM)
    assert {key.rpartition(".")[2] for key in network.folded} <= expected


class Rearranged(nn.Module):
    """Weights whose elements are somewhere else before a network reads them, in the ways that models do it."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.scale = nn.Parameter(torch.randn(1, 1, 4)), nn.Parameter(torch.randn(4))
        self.places, self.tokens = nn.Parameter(torch.randn(1, 9, 4)), nn.Parameter(torch.randn(4, 2))
        self.table = nn.Parameter(torch.randn(4, 3))
        self.register_buffer("mean", torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.tokens.mT.unsqueeze(0).contiguous().expand(x.shape[0], -1, -1)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), tokens, x], 1) + self.places[:, : x.shape[1] + 3]
        x = (x - self.mean.reshape(1, 1, -1)) * self.scale.view(1, 1, 4)
        return x + self.table.T[1:2].squeeze(0)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_weight_that_is_only_rearranged_keeps_its_name(dtype: str) -> None:
    torch.manual_seed(0)
    module, x = Rearranged().eval(), torch.randn(2, 3, 4)
    network = trtnet.define(module, {"x": trtnet.Input((2, 3, 4), dtype)}, dtype=dtype)
    found = torch.as_tensor(network.reference()(x.to(getattr(torch, dtype))))
    torch.testing.assert_close(found.float(), module(x), rtol=0, atol=1e-6 if dtype == "float32" else 2e-2)
    assert network.named == set(module.state_dict()) and not network.folded


class Written(nn.Module):
    """Writes to what was a copy of a weight's elements in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(3, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.table.mT.contiguous()
        rows[:, 1] = 0
        return x + rows


def test_a_view_that_is_written_to_has_what_was_written() -> None:
    module, x = Written().eval(), torch.randn(2, 3)
    network = trtnet.define(module, {"x": x})
    torch.testing.assert_close(torch.as_tensor(network.reference()(x)), module(x))
    assert network.folded == {"table"}


class WithoutRelu(torchvision.models.resnet.BasicBlock):
    """A block that forgets its last activation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return out + identity


class OtherEps(torchvision.models.resnet.BasicBlock):
    """A block whose second norm has another epsilon."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.bn2.eps = 0.1


def small(block: type[nn.Module]) -> nn.Module:
    """A ResNet with a block of another kind at layer2.0, weights that matter and statistics that are not constant."""
    torch.manual_seed(0)
    model = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=7)
    if block is not torchvision.models.resnet.BasicBlock:
        other = block(64, 128, 2, model.layer2[0].downsample)
        other.load_state_dict(model.layer2[0].state_dict())
        model.layer2[0] = other
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
    return model.eval()


def test_bisect_acquits_a_module_against_itself() -> None:
    module = small(torchvision.models.resnet.BasicBlock)
    network = trtnet.define(module, {"x": torch.zeros(2, 3, 32, 32)})
    found = trtnet.bisect(network, inputs=torch.randn(2, 3, 32, 32))
    assert found.passed and not found.findings and len(found.rows) > 20


@pytest.mark.parametrize(
    ("block", "path", "why"), [(WithoutRelu, "layer2.0", ""), (OtherEps, "layer2.0.bn2", "eps is 0.1 here, 1e-05 in")]
)
def test_bisect_names_the_module_in_which_a_bug_was_planted(block: type[nn.Module], path: str, why: str) -> None:
    original = small(torchvision.models.resnet.BasicBlock)
    network = trtnet.define(small(block), {"x": torch.zeros(2, 3, 32, 32)})
    found = trtnet.bisect(network, original, torch.randn(2, 3, 32, 32))
    assert not found.passed and found.module == path
    assert found.findings[0].row.alone is not None and why in str(found)


class Registers(nn.Module):
    """DINOv3: register tokens, of which there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.registers = nn.Parameter(torch.randn(1, 1, 4)), nn.Parameter(torch.empty(1, 0, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([each.expand(x.shape[0], -1, -1) for each in (self.token, self.registers)] + [x], 1)


@pytest.mark.parametrize("batch", [2, "batch"])
def test_a_weight_without_elements(batch: int | str) -> None:
    module, x = Registers().eval(), torch.randn(2, 3, 4)
    network = trtnet.define(module, {"x": trtnet.Input((batch, 3, 4))})
    assert (network.reference()(x.numpy()) == module(x).detach().numpy()).all()
