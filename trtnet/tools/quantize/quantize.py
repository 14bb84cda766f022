"""``trtnet.quantize``: a float checkpoint to a quantized one, its input scales calibrated on the reference."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.checkpoint import IGNORED, Source
from trtnet.definition import DefinedNetwork, define
from trtnet.definition.inputs import Declared
from trtnet.definition.models import Model
from trtnet.definition.quantization import Watch
from trtnet.graph.quantized import attention_name
from trtnet.support import dtypes
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import counted
from trtnet.tools.quantize.attention import calibrated, largest_seen, uses
from trtnet.tools.quantize.batch_norms import folded
from trtnet.tools.quantize.choosing import SENSITIVE, Choice, Chosen, chosen, seen_only, taken
from trtnet.tools.quantize.data import Batches, Data
from trtnet.tools.quantize.observing import Observer, watched
from trtnet.tools.quantize.placement import Placement, Search
from trtnet.tools.quantize.preparing import Options, PreparedModel, prepared
from trtnet.tools.quantize.ranges import largest_of
from trtnet.tools.quantize.replaced import Replaced
from trtnet.tools.quantize.result import AttentionRow, QuantizedCheckpoint, Row
from trtnet.tools.quantize.smoothing import NONE, groups, smoothed
from trtnet.tools.quantize.writing import Written, check_file, write
from trtnet.verify.metrics.layouts import distance

log = logging.getLogger("trtnet.quantization")

COMPARED = 4
"""The first calls, on which outputs are compared."""
NEAR = 1.05
"""How much more than the least error is as good."""


def quantize(
    model: Model,
    data: Data | None,
    out: str | os.PathLike[str],
    inputs: Mapping[str, Declared] | None = None,
    weights: Source | None = None,
    *,
    scheme: str = "int8",
    method: str | None = None,
    skip: Sequence[str] = (),
    tolerance: float | None = None,
    smooth: float | str | None = None,
    attention: str | None = None,
    fold: bool = True,
    correct: bool = True,
    batch: int = 32,
    ignored: Sequence[str] = IGNORED,
    tell: Callable[[str], None] = lambda text: None,
) -> QuantizedCheckpoint:
    """Quantizes the weights of a model's products and convolutions, and calibrates the scales of their inputs.

    model, inputs, weights, ignored: as define takes them; floats are float32. data: arrays of samples by input, each
    [samples, ...] of the input's dtype, an .npz of them, or a folder of .npz files, read one at a time; None for
    schemes of weights alone. out: a .safetensors file in the compressed-tensors format, with its config.json beside it;
    ``define(model, weights=out, quantization="checkpoint")`` takes it. scheme: "int8", "fp8", "fp8_channel",
    "int8_weights", "fp8_weights" or "int4_weights". method: how the range of inputs is found: "max", "percentile"
    (99.99 %), "mse" or "entropy"; by default "max" with smooth, "mse" without; that of weights has the least squared
    error. skip: patterns of module paths that stay floats. tolerance: of the outputs on the first four calls, relative
    L2: each module is tried alone, and the most sensitive ones stay floats until the outputs are within it. smooth:
    SmoothQuant's alpha, from 0 to 1, for products with quantized inputs: outliers go into the weights, and the divisors
    into the norm before, or, where other layers read it too, into factors of the inputs; with such factors the file is
    in ModelOpt's format. "auto" tries several, and takes the smallest whose error of these outputs is within 5 % of the
    least. attention: "int8" or "fp8" quantizes both products of scaled_dot_product_attention, too. fold: batch norms go
    into the convolutions before them. correct: the mean error of each channel of a product is taken from the bias or
    batch norm behind it. batch: samples in a call. tell: is told what is done. Returns what was written.
    Raises ModelError for what is unknown, and where nothing is quantized or outputs are NaN in floats, CheckpointError
    if `out` cannot be written, InputError and WeightsError for what does not fit or is not finite, as define does.
    """
    check_file(Path(out), weights)
    choice = chosen(scheme, method, smooth, attention, tolerance, data is not None)
    network = define(model, inputs, weights, ignored=ignored, quantization=Watch())
    calls = Batches({} if data is None else data, network.reference().inputs, batch)
    kept = taken(network, choice, skip)
    trials = None if data is None else _Trials(model, inputs, network, [*islice(calls, COMPARED)], tell)
    made = _Preparing(network, kept, choice, fold, correct, [] if data is None else calls, tell)
    prepared = made.by_alpha(trials)
    placement = None if tolerance is None or trials is None else _placed(trials, prepared, tolerance)
    keys = prepared.everything if placement is None else placement.modules
    error = placement.error if placement is not None else None if trials is None else trials.error(prepared, keys)
    return _written(Path(out), prepared, keys, made, placement, error)


class _Preparing:
    """From what was seen of a network's inputs to what can be quantized, by SmoothQuant's alpha."""

    def __init__(
        self,
        network: DefinedNetwork,
        kept: Chosen,
        choice: Choice,
        fold: bool,
        correct: bool,
        calls: Iterable[Any],
        tell: Callable[[str], None],
    ) -> None:
        self._network, self._choice, self._calls = network, choice, calls
        self._options = Options(choice.scheme, choice.method, correct)
        self._groups = groups(network, kept.weights) if choice.alphas != (None,) else []
        needed = dict.fromkeys([*kept.weights, *(key for group in self._groups for key in group.keys)])
        self._observer = Observer(network, needed, tell, uses(network, kept.attentions))
        self._seen = self._observer.observe(calls)
        self.kept = kept = seen_only(kept, choice, self._seen)
        self.norms = folded(network.checkpoint, watched(network), kept.weights) if fold else {}
        self.alpha: float | None = None

    def by_alpha(self, trials: _Trials | None) -> PreparedModel:
        """With the alpha that is asked for; of several the smallest whose error is near the least.

        The larger an alpha, the more it trusts that other data has the same outliers in the same channels.
        """
        if trials is None or len(self._choice.alphas) == 1:
            (self.alpha,) = self._choice.alphas
            return self._prepared(self.alpha)
        errors: dict[float | None, float] = {}
        for alpha in self._choice.alphas:
            prepared = self._prepared(alpha)
            errors[alpha] = trials.error(prepared, prepared.everything)
        near = (alpha for alpha, error in errors.items() if error <= NEAR * min(errors.values()))
        self.alpha = next(near)
        return self._prepared(self.alpha)

    def _prepared(self, alpha: float | None) -> PreparedModel:
        smoothing, seen, kept = NONE, self._seen, self.kept
        if alpha is not None and self._groups:
            smoothing = smoothed(self._network, self._groups, seen, alpha)
            seen = self._observer.observe(self._calls, smoothing.divisors)
        made = prepared(self._network, kept.weights, seen, self.norms, smoothing, self._options)
        if not kept.attentions:
            return made
        attentions = calibrated(kept.attentions, seen, self._choice.attention, self._choice.method)
        named = {attention_name(path): path for path in attentions}
        return replace(made, attentions={name: attentions[path] for name, path in named.items()}, paths=named)


class _Trials:
    """The model on some calls, with sets of its weights and attentions quantized."""

    def __init__(
        self,
        model: Model,
        inputs: Mapping[str, Declared] | None,
        network: DefinedNetwork,
        calls: Sequence[Mapping[str, Any]],
        tell: Callable[[str], None],
    ) -> None:
        self._model, self._inputs, self._calls, self._tell = model, inputs, calls, tell
        floats = define(model, inputs, Replaced(network.checkpoint, network.keys, {}))
        self._floats = self._outputs(floats)
        _check_finite(list(floats.outputs), self._floats)
        self._tried = 0

    def error(self, prepared: PreparedModel, keys: Collection[str]) -> float:
        """The largest relative L2 distance of an output from that of the floats, in all calls."""
        self._tried += 1
        self._tell(f"the network with {counted(len(keys), 'quantized weight')}, trial {self._tried}")
        found = self._outputs(define(self._model, self._inputs, **prepared.definition(keys)))
        return max(distance(a, b) for a, b in zip(found, self._floats, strict=True))

    def _outputs(self, network: DefinedNetwork) -> list[np.ndarray[Any, Any]]:
        run = network.reference()
        results = (run(**call) for call in self._calls)
        parts = (part for one in results for part in (one if isinstance(one, tuple) else (one,)))
        return [np.asarray(part, np.float32) for part in parts]


def _check_finite(names: Sequence[str], outputs: Sequence[np.ndarray[Any, Any]]) -> None:
    """Warns of outputs of calls that are NaN in floats. Raises ModelError for one that is nothing else."""
    for index, name in enumerate(names):
        lost = np.concatenate([np.isnan(values).reshape(-1) for values in outputs[index :: len(names)]])
        if lost.any():
            text = f"the output {name} is NaN in floats"
            if lost.all():
                raise ModelError(
                    f"{text}: what quantization changes cannot be seen; trtnet bisect finds where it begins"
                )
            log.warning("%s, in %s of %s: its error is infinite", text, f"{lost.sum():,}", counted(lost.size, "value"))


def _placed(trials: _Trials, prepared: PreparedModel, tolerance: float) -> Placement:
    by_module = {prepared.weights[key].module if key in prepared.weights else key: key for key in prepared.everything}
    errors = Search(list(by_module), lambda modules: trials.error(prepared, [by_module[each] for each in modules]))
    found = errors.search(tolerance)
    return replace(found, modules=tuple(by_module[each] for each in found.modules))


def _written(
    path: Path,
    prepared: PreparedModel,
    keys: Collection[str],
    made: _Preparing,
    placement: Placement | None,
    error: float | None,
) -> QuantizedCheckpoint:
    """Writes what is quantized and the floats beside it. made: what changed in them."""
    network, written, rows = prepared.network, {}, []
    alone = {} if placement is None else placement.alone
    for weight in (prepared.weights[key] for key in keys if key in prepared.weights):
        key, kind = weight.key, None if weight.scheme.inputs is None else dtypes.get(weight.scheme.inputs)
        scale, values = weight.scheme.input_scale or 1.0, prepared.seen[weight.key].values
        written[key] = Written(weight.module, weight.form, kind, scale)
        rows.append(
            Row(
                key, str(weight.scheme), weight.error, values.largest, scale, alone.get(weight.module),
                prepared.smoothed(key), key in made.norms, weight.mean_error is not None,
                0.0 if kind is None else scale * largest_of(kind), values.logarithms(),
            )
        )  # fmt: skip
    attentions = {name: found for name, found in prepared.attentions.items() if name in keys}
    by_path = {prepared.paths[name]: found for name, found in attentions.items()}
    write(path, network.checkpoint, network.keys, written, prepared.arrays(keys), by_path)
    reasons = made.kept.reasons | {key: SENSITIVE for key in prepared.weights if key not in written}
    floats = {key: reasons[key] for key in network.keys if key in reasons}
    chosen = {*attentions, *(prepared.weights[key].module for key in written)}
    sensitive = tuple((module, off) for module, off in alone.items() if module not in chosen)
    attended = tuple(
        AttentionRow(
            name, str(found), largest_seen(prepared.paths[name], prepared.seen),
            (found.query, found.key, found.probability, found.value), alone.get(name),
        )
        for name, found in attentions.items()
    )  # fmt: skip
    return QuantizedCheckpoint(path, tuple(rows), floats, error, sensitive, attended, made.alpha)
