"""Torch-TensorRT (the packages torch-tensorrt-rtx and torch-tensorrt): torch modules, whole, as one engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


def compiled(module: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> Callable[..., Any]:
    """A module on the GPU for inputs of these shapes, all of it in one engine, run as a CUDA graph.

    Its dtypes stay, and attention is products and a softmax: by default masks are taken for causal ones.
    Raises ImportError where it is not installed, and what it raises.
    """
    import torch_tensorrt

    with torch.inference_mode(False), torch.no_grad():
        given = [x.clone() for x in inputs]  # as they are where none is made for inference alone
        program = torch.export.export(module, tuple(given), strict=False)
        torch_tensorrt.runtime.set_cudagraphs_mode(True)
        made: Callable[..., Any] = torch_tensorrt.dynamo.compile(
            program,
            arg_inputs=given,
            use_explicit_typing=True,
            decompose_attention=True,
            min_block_size=1,
            require_full_compilation=True,
            pass_through_build_failures=True,
        )
    return made


class Held:
    """The caches of a step, in the place of transformers': each layer's are returned with a token more, as new ones."""

    is_compileable = False

    def __init__(self, place: torch.Tensor, caches: Sequence[torch.Tensor]) -> None:
        self.place, self.caches = place, list(caches)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        for i, new in ((2 * layer, keys), (2 * layer + 1, values)):
            places = torch.arange(self.caches[i].shape[2], device=new.device)[:, None]
            self.caches[i] = torch.where(places == self.place, new, self.caches[i])
        return self.caches[2 * layer], self.caches[2 * layer + 1]


class SingleToken(torch.nn.Module):
    """A decoder of transformers for a token at a time, without a state: what it holds goes in and comes out.

    ids [batch, 1] int64, place [1] int64, then keys and values of each layer [batch, heads, capacity, width]
    -> logits [batch, 1, vocabulary], then the same keys and values with those of the place.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, place: torch.Tensor, *caches: torch.Tensor) -> tuple[torch.Tensor, ...]:
        batch, held = len(ids), Held(place, caches)
        seen = torch.arange(caches[0].shape[2], device=ids.device) <= place
        logits = self.model(
            input_ids=ids,
            attention_mask=seen[None, None, None].expand(batch, 1, 1, -1),
            position_ids=place[None].expand(batch, 1),
            past_key_values=held,
            use_cache=True,
        ).logits
        return logits, *held.caches
