"""The network of one step: the logits of the next tokens and the most likely ones, at the places that are wanted."""

from __future__ import annotations

from typing import Any

from trtnet import ops
from trtnet.builder import Dims
from trtnet.graph import Input, Tensor
from trtnet.nn import Module


class Step(Module):
    """A step of a decoder, whose head computes only the wanted positions.

    decoder: a model such as ``models.llama()``: with ``model``, ``lm_head`` and ``hidden_states``; its checkpoint keys
    are the same. Inputs: places [batch, count] int64, where in `input_ids` logits are wanted, and those of the decoder:
    input_ids [batch, length] int64, write_indices [batch] int32, and the caches. Results: tokens [batch, count] int64,
    the most likely ones; logits [batch, count, vocab_size] float32; new_key_i, new_value_i, in place of the caches.
    Weights: the decoder's. Layer: those of the decoder, IGatherLayer and ITopKLayer.
    Raises ModelError for a module that is not a decoder.
    """

    def __init__(self, decoder: Any) -> None:
        self.model, self.lm_head = decoder.model, decoder.lm_head
        self.hidden_states = decoder.hidden_states
        self.inputs = {"places": Input(("batch", "count"), "int64"), **decoder.inputs}

    def forward(self, places: Tensor, input_ids: Tensor, write_indices: Tensor, *caches: Tensor) -> dict[str, Tensor]:
        x, updated = self.hidden_states(input_ids, write_indices, *caches)
        logits = self.lm_head(ops.take_along_dim(x, places.unsqueeze(-1), 1)).float()
        return {"tokens": ops.argmax(logits, -1), "logits": logits, **updated}


def profiles(batch: int = 1, chunk: int = 256, drafted: int = 0) -> list[Dims]:
    """What :meth:`DefinedNetwork.build` is given for a step: a profile for prompts, one for single tokens.

    batch: the most sequences. chunk: the most tokens of a prompt in a step. drafted: prompt_lookup_num_tokens, which
    have a profile of their own. No shape fits two of them, so that a single token runs with its own kernels.
    """
    rows = (1, batch, batch)
    found: list[Dims] = [{"batch": rows, "length": (min(2, chunk), chunk, chunk), "count": 1}]
    return found + [{"batch": rows, "length": 1 + n, "count": 1 + n} for n in sorted({0, drafted})]
