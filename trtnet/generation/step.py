"""The network of one step: the tokens that are chosen next, at the places that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trtnet import ops
from trtnet.builder import Dims
from trtnet.generation.configuration import CONTROLS
from trtnet.graph import Input, State, Tensor, current
from trtnet.nn import Module
from trtnet.ops.transformers.sampling import penalized, sample
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, ModelError
from trtnet.support.text.counted import counted

WIDTH = 16
"""Numbers that a token takes in the cache of tokens: caches of the width of a head are what was run on GPUs."""
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
    Weights: the decoder's. Layer: those of the decoder, and of the choice: see ``trtnet.ops.transformers.sampling``;
    without it ITopKLayer.
    Raises ModelError for a module that is not a decoder.
    """

    def __init__(
        self, decoder: Any, *, sampling: bool = True, logits: bool = False, sizes: Mapping[str, int] | None = None
    ) -> None:
        if not all(hasattr(decoder, name) for name in ("model", "lm_head", "hidden_states")):
            raise ModelError(f"a {type(decoder).__name__} is no decoder: a Step takes a model such as models.llama()")
        self.model, self.lm_head, self.hidden_states = decoder.model, decoder.lm_head, decoder.hidden_states
        self.sampling, self.logits = sampling, logits
        self.caches = [name for name, given in decoder.inputs.items() if isinstance(given, State)]
        inputs: dict[str, Input] = {"places": Input(("batch", "count"), "int64"), **decoder.inputs}
        if sampling:
            capacity = int(inputs[self.caches[0]].shape[2])
            inputs |= {name: Input(("batch",), "float32") for name in CONTROLS}
            inputs["uniform"] = Input(("batch", capacity, 2), "float32")
            inputs["history"] = State(("batch", 1, capacity, WIDTH), "float32", output="new_history")
        fixed = sizes or {}
        self.inputs = {
            name: replace(given, shape=tuple(fixed.get(str(size), size) for size in given.shape))
            for name, given in inputs.items()
        }

    def forward(self, **given: Tensor) -> dict[str, Tensor]:
        caches = [given[name] for name in self.caches]
        x, results = self.hidden_states(given["input_ids"], given["write_indices"], *caches)
        logits = self.lm_head(ops.take_along_dim(x, given["places"].unsqueeze(-1), 1)).float()
        chosen = self._sampled(logits, given) if self.sampling else {"tokens": ops.argmax(logits, -1)}
        return chosen | ({"logits": logits} if self.logits else {}) | results

    def _sampled(self, logits: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tokens, and their cache with those of this step."""
        exact = current().inputs  # in float32, whatever the network's dtype
        ids, at = given["input_ids"], given["write_indices"]
        history = exact["history"]
        written = ids.float()[:, None, :, None].expand(*ids.shape[:1], 1, ids.shape[1], WIDTH)
        history = ops.kv_cache_update(history, written, at)
        before = history[:, :, :, 0].to("int64")
        last = (at.to("int64").unsqueeze(1) + given["places"]).unsqueeze(-1)
        before = ops.where(ops.arange(before.shape[-1]) <= last, before, before[:, :, :1])
        chosen_by = {name: exact[name] for name in CONTROLS}
        logits = penalized(logits, before, chosen_by.pop("repetition_penalty"))
        tokens = sample(logits, ops.take_along_dim(exact["uniform"], last, 1), **chosen_by)
        return {"tokens": tokens, "new_history": history}


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


@dataclass(frozen=True)
class Sizes:
    """What a Generator must know of a step; 0 for what is not fixed, or not known.

    batch: how many sequences there are. length: the tokens of a prompt in a step. capacity: those that the caches hold.
    vocabulary: those of the model. sampling: whether they are chosen as a GenerationConfig says.
    """

    batch: int
    length: int
    capacity: int
    vocabulary: int
    sampling: bool


def sizes_of(step: Any, prompts: Any) -> Sizes:
    """Those of the step for single tokens and of that for prompts, maybe the same. Raises InputError for others."""
    inputs = {info.name: info for info in prompts.inputs}
    caches, others = caches_of(step), caches_of(prompts)
    if not caches or "places" not in inputs:
        raise InputError("a Generator runs the step of a decoder: define(trtnet.generation.Step(model), weights=...)")
    if [(info.name, *info.shape[1:]) for info in caches] != [(info.name, *info.shape[1:]) for info in others]:
        raise InputError("the step for prompts has other caches: make both of one decoder, with the same sampling")
    ids, (batch, _, capacity, *_) = inputs["input_ids"], caches[0].shape
    length = _known(ids.shape[1])
    if length == 1:
        raise InputError("this step takes single tokens: give prompts= a step of any length, Step(model)")
    if length > int(capacity):
        raise InputError(
            f"the step takes {counted(length, 'token')}, its caches hold {capacity}: make it with a smaller length"
        )
    known = _known(batch) or _known(others[0].shape[0])
    return Sizes(known, length, int(capacity), ids.rows, "uniform" in inputs)


def caches_of(step: Any) -> list[TensorInfo]:
    """The inputs that hold keys and values, and the tokens: the step's states."""
    inputs = {info.name: info for info in step.inputs}
    return [inputs[state.input] for state in step.states]


def _known(size: int | str) -> int:
    return size if isinstance(size, int) else 0
