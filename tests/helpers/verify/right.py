"""Models that compute what torch's do and are written otherwise: none of them is to be accused."""

from __future__ import annotations

from typing import Any

import torch
from helpers.verify.published import TorchPNet, seeded

import trtnet
from trtnet import nn, ops


def with_a_wrong_tensor() -> dict[str, torch.Tensor]:
    """PNet's weights with the square kernel of one convolution transposed, as a wrong conversion leaves it."""
    state = seeded(TorchPNet).state_dict()
    return state | {"conv3.weight": state["conv3.weight"].transpose(2, 3).contiguous()}


class ChannelsLast(nn.Module):
    """Its norm is over the last axis, as in ConvNeXt; torch's is over the first, written by hand."""

    inputs = {"x": trtnet.Input((2, 3, 6, 5))}

    def __init__(self) -> None:
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.LayerNorm(8), nn.Conv2d(8, 4, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class TorchNorm(torch.nn.LayerNorm):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(1, keepdim=True) + self.eps).sqrt()
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


class TorchChannelsLast(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = torch.nn.Conv2d(3, 8, 3), TorchNorm(8), torch.nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.conv(x)))


class Merged(nn.Module):
    """Queries, keys and values of one layer, and a shortcut; torch has three of other names."""

    inputs = {"x": trtnet.Input((2, 5, 8))}

    def __init__(self) -> None:
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        q, k, v = (nn.split_heads(part, 2) for part in self.qkv(x).chunk(3, -1))
        return x + self.out(nn.join_heads(ops.scaled_dot_product_attention(q, k, v)))


class TorchMerged(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.proj = (torch.nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).unflatten(-1, (2, 4)).transpose(1, 2) for part in (self.q, self.k, self.v))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return x + self.proj(y.transpose(1, 2).flatten(2))


def merged_weights() -> dict[str, torch.Tensor]:
    state = seeded(TorchMerged).state_dict()
    joined = {f"qkv.{kind}": torch.cat([state[f"{n}.{kind}"] for n in "qkv"]) for kind in ("weight", "bias")}
    return joined | {f"out.{kind}": state[f"proj.{kind}"] for kind in ("weight", "bias")}


class Projected(nn.Module):
    """torch's attention of one in_proj, given as three tensors of queries, keys and values."""

    inputs = {"x": trtnet.Input((2, 5, 8)), "y": trtnet.Input((2, 3, 8))}

    def __init__(self) -> None:
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Any, y: Any) -> Any:
        return self.attention(x, y, y)[0]


class TorchProjected(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.attention(x, y, y)[0]


class Twice(nn.Module):
    """One layer called twice, a buffer, tied weights, a dropout, and a result that nobody uses."""

    inputs = {"ids": trtnet.Input((2, 5), "int64")}

    def __init__(self) -> None:
        self.embed, self.layer, self.norm = nn.Embedding(11, 8), nn.GRU(8, 8, batch_first=True), nn.LayerNorm(8)
        self.drop, self.scale = nn.Dropout(0.3), nn.Buffer(8)

    def forward(self, ids: Any) -> Any:
        x = self.drop(self.embed(ids)) * self.scale
        y, _ = self.layer(x)
        _, h = self.layer(self.norm(y))
        logits = ops.linear(h[0], self.embed.weight)
        return {"logits": logits, "best": logits.argmax(-1), "sure": logits.amax(-1) > 0}


class TorchTwice(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.layer = torch.nn.Embedding(11, 8), torch.nn.GRU(8, 8, batch_first=True)
        self.norm, self.drop = torch.nn.LayerNorm(8), torch.nn.Dropout(0.3)
        self.register_buffer("scale", torch.rand(8) + 0.5)

    def forward(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.drop(self.embed(ids)).mul_(self.scale)
        y, _ = self.layer(x)
        _, h = self.layer(self.norm(y))
        logits = torch.nn.functional.linear(h[0], self.embed.weight)
        return {"logits": logits, "best": logits.argmax(-1), "sure": logits.amax(-1) > 0}


class Divided(nn.Module):
    """The activation in the layer, the padding and the pooling beside it: torch has them elsewhere, and in place."""

    inputs = {"x": trtnet.Input((2, 3, 9, 8))}

    def __init__(self) -> None:
        self.stem, self.body, self.head = nn.Conv2d(3, 6, 3), Body(), nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        x = ops.relu(self.stem(ops.pad(x, (1, 1, 1, 1))))
        return self.head(self.body(x)), x.shape[0] * ops.ones((1,))


class Body(nn.Module):
    def __init__(self) -> None:
        self.conv = nn.Conv2d(6, 6, 3)

    def forward(self, x: Any) -> Any:
        return self.conv(x).clamp(min=0).flatten(2).mean(-1)


class TorchDivided(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = torch.nn.Conv2d(3, 6, 3, padding=1), TorchBody()
        self.head = torch.nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.nn.functional.relu(self.stem(x), inplace=True)
        return self.head(self.body(x).mean((2, 3))), torch.full((1,), float(x.shape[0]))


class TorchBody(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = torch.nn.Conv2d(6, 6, 3), torch.nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.conv(x))


class Lists(nn.Module):
    """A pyramid: a module that gives several maps, of which the model gives two, in torch's order."""

    inputs = {"x": trtnet.Input((1, 3, 16, 12))}

    def __init__(self) -> None:
        self.backbone, self.lateral = Backbone(), nn.Conv2d(8, 4, 1)

    def forward(self, x: Any) -> Any:
        _, middle, last = self.backbone(x)
        return self.lateral(last), middle


class Backbone(nn.Module):
    def __init__(self) -> None:
        self.stages = nn.ModuleList([nn.Conv2d(n, 8, 3, stride=2, padding=1) for n in (3, 8, 8)])

    def forward(self, x: Any) -> Any:
        found = []
        for stage in self.stages:
            x = ops.relu(stage(x))
            found.append(x)
        return found


class TorchLists(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.lateral = TorchBackbone(), torch.nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        _, middle, last = self.backbone(x)
        return self.lateral(last), middle


class TorchBackbone(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stages = torch.nn.ModuleList([torch.nn.Conv2d(n, 8, 3, stride=2, padding=1) for n in (3, 8, 8)])

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for stage in self.stages:
            x = stage(x).relu()
            found.append(x)
        return found


PAIRS = {
    "channels_last": (ChannelsLast, TorchChannelsLast, ""),
    "merged": (Merged, TorchMerged, "--name qkv=q,k,v --name out=proj"),
    "projected": (Projected, TorchProjected, ""),
    "twice": (Twice, TorchTwice, ""),
    "divided": (Divided, TorchDivided, ""),
    "lists": (Lists, TorchLists, ""),
}
"""By name: ours, torch's, and bisect's options."""
OPTIONS = {"merged": "--weights merged.safetensors", "twice": "--range ids=0:11"}
"""Of both commands."""
