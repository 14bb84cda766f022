"""The network of one step: the tokens that are chosen next, at the places that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trtnet import ops
from trtnet.builder import Dims
from trtnet.generation.sampling import CONTROLS, penalized, sample
from trtnet.graph import Input, State, Tensor, current
from trtnet.nn import Module

HISTORY = "history"
"""The cache of tokens."""
WIDTH = 16
"""Numbers that a token takes in it: caches of the width of a head are what was run on GPUs."""
SINGLE = {"length": 1, "count": 1}
"""Sizes of a step of single tokens."""


class Step(Module):
    """A step of a decoder, with the choice of the next tokens.

    decoder: a model such as ``models.llama()``: with ``model``, ``lm_head`` and ``hidden_states``; its checkpoint keys
    are the same. sampling: tokens are chosen as a GenerationConfig says; without it they are the most likely ones, and
    the inputs below for it are left out. logits: they are a result, too. sizes: of named axes that are fixed, "batch",
    "length" and "count".
    Inputs: places [batch, count] int64, where in `input_ids` the next tokens are wanted; those of the decoder:
    input_ids [batch, length] int64, write_indices [batch] int32, and the caches; for sampling temperature, top_k,
    top_p, min_p, repetition_penalty [batch] float32, uniform [batch, capacity, 2] float32, random numbers in [0, 1)
    for each place of a sequence, and history [batch, 1, capacity, 16] float32, the cache of its tokens.
    Results: tokens [batch, count] int64; logits [batch, count, vocab_size] float32; new_key_i, new_value_i,
    new_history, in place of the caches.
    Weights: the decoder's. Layer: those of the decoder, and of the choice: see ``trtnet.generation.sampling``; without
    it ITopKLayer.
    Raises ModelError for a module that is not a decoder.
    """

    def __init__(
        self, decoder: Any, *, sampling: bool = True, logits: bool = False, sizes: Mapping[str, int] | None = None
    ) -> None:
        self.model, self.lm_head = decoder.model, decoder.lm_head
        self.hidden_states = decoder.hidden_states
        self.sampling, self.logits = sampling, logits
        inputs: dict[str, Input] = {"places": Input(("batch", "count"), "int64"), **decoder.inputs}
        if sampling:
            capacity = int(inputs["key_0"].shape[2])
            inputs |= {name: Input(("batch",), "float32") for name in CONTROLS}
            inputs["uniform"] = Input(("batch", capacity, 2), "float32")
            inputs[HISTORY] = State(("batch", 1, capacity, WIDTH), "float32", output=f"new_{HISTORY}")
        fixed = sizes or {}
        self.inputs = {
            name: replace(given, shape=tuple(fixed.get(str(size), size) for size in given.shape))
            for name, given in inputs.items()
        }

    def forward(self, **given: Tensor) -> dict[str, Tensor]:
        caches = [tensor for name, tensor in given.items() if isinstance(self.inputs[name], State) and name != HISTORY]
        x, updated = self.hidden_states(given["input_ids"], given["write_indices"], *caches)
        logits = self.lm_head(ops.take_along_dim(x, given["places"].unsqueeze(-1), 1)).float()
        results = self._sampled(logits, given) if self.sampling else {"tokens": ops.argmax(logits, -1)}
        return results | ({"logits": logits} if self.logits else {}) | updated

    def _sampled(self, logits: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tokens, and their cache with those of this step."""
        exact = current().inputs  # in float32, whatever the network's dtype
        ids, at = given["input_ids"], given["write_indices"]
        history = exact[HISTORY]
        written = ids.float()[:, None, :, None].expand(*ids.shape[:1], 1, ids.shape[1], WIDTH)
        history = ops.kv_cache_update(history, written, at)
        before = history[:, :, :, 0].to("int64")
        last = (at.to("int64").unsqueeze(1) + given["places"]).unsqueeze(-1)
        before = ops.where(ops.arange(before.shape[-1]) <= last, before, before[:, :, :1])
        logits = penalized(logits, before, exact["repetition_penalty"])
        tokens = sample(logits, ops.take_along_dim(exact["uniform"], last, 1), exact)
        return {"tokens": tokens, f"new_{HISTORY}": history}


def profiles(batch: int = 1, chunk: int = 256, drafted: int = 0, *, fixed: bool = False) -> list[Dims]:
    """What :meth:`DefinedNetwork.build` is given for a step: a profile for prompts, one for single tokens.

    batch: the most sequences. chunk: the most tokens of a prompt in a step. drafted: prompt_lookup_num_tokens, which
    have a profile of their own. No shape fits two of them, so that a single token runs with its own kernels. fixed:
    for ``Step(decoder, sizes={"batch": batch})``, beside which another step takes single tokens.
    """
    prompts: Dims = {"length": (min(2, chunk), chunk, chunk), "count": 1}
    lengths = [1 + n for n in sorted({0, drafted}) if n or not fixed]
    found = [prompts, *({"length": length, "count": length} for length in lengths)]
    return found if fixed else [{"batch": (1, batch, batch), **each} for each in found]
