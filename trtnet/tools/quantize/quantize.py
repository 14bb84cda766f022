"""``trtnet.quantize``: a float checkpoint to a quantized one, its input scales calibrated on the reference."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from trtnet.checkpoint import IGNORED, Source
from trtnet.definition import DefinedNetwork, define
from trtnet.definition.inputs import Declared
from trtnet.definition.models import Model
from trtnet.definition.quantization import Watch
from trtnet.graph.quantized import QuantizedActivation, QuantizedAttention, attention_name
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.tools.quantize.attention import calibrated as calibrated_attention, largest_seen, uses
from trtnet.tools.quantize.batch_norms import folded
from trtnet.tools.quantize.choosing import ALONE, SENSITIVE, UNSEEN, Choice, Chosen, chosen, seen_only, taken
from trtnet.tools.quantize.data import Data, calls_of
from trtnet.tools.quantize.format import Written
from trtnet.tools.quantize.observing import Observer, watched
from trtnet.tools.quantize.placing.activations import operations
from trtnet.tools.quantize.placing.search import Found, Search
from trtnet.tools.quantize.preparing import Options, Prepared, PreparedModel, prepared
from trtnet.tools.quantize.ranges import largest_of
from trtnet.tools.quantize.result import ActivationRow, AttentionRow, QuantizedCheckpoint, Row
from trtnet.tools.quantize.smoothing import NONE, groups, smoothed
from trtnet.tools.quantize.trials import Trials
from trtnet.tools.quantize.writing import Form, check_file, write

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
    placement: Sequence[str] | str | None = None,
    batch: int = 32,
    ignored: Sequence[str] = IGNORED,
    tell: Callable[[str], None] = lambda text: None,
) -> QuantizedCheckpoint:
    """Quantizes the weights of a model's products and convolutions, and calibrates the scales of their inputs.

    model, inputs, weights, ignored: as define takes them; floats are float32. data: arrays of samples by input, each
    [samples, ...] of the input's dtype, an .npz of them, or a folder of .npz files, read one at a time; None for
    schemes of weights alone. An input that is one number has one for all, or with batch=1 one for each sample. Of a
    model with states (trtnet.State), arrays without them are sequences, [samples, steps, ...], whose states begin with
    zeros. out: a .safetensors file in the compressed-tensors format, with its
    config.json beside it; ``define(model, weights=out, quantization="checkpoint")`` takes it. scheme: "int8", "fp8",
    "nvfp4" or another of choosing.SCHEMES. method: of ranges of inputs: "max", "percentile" (99.99 %), "mse" or
    "entropy"; by default "max" with smooth, "mse" without. skip: patterns of module paths that stay
    floats. tolerance: of the outputs on the first four calls, relative L2: each module is tried alone, and the most
    sensitive ones stay floats. smooth: SmoothQuant's alpha, from 0 to 1, for products with quantized inputs: outliers
    go into the weights, the divisors into the norm before, or into factors of the inputs, which ModelOpt's format has;
    "auto" takes the smallest whose error is within 5 % of the least. attention: "int8" or "fp8", of both its products.
    fold: batch norms go into the convolutions before them. correct: the mean error of each channel of a product is
    taken from the bias or batch norm behind it. placement: what else is quantized, and which products are not: rows of
    a table ("sums"), "none", or a target ("tensorrt:8.9"); by default this backend. batch: samples in a call. tell: is
    told what is done. Returns what was written.
    Raises ModelError for what is unknown, and where nothing is quantized or outputs are NaN in floats, CheckpointError
    if `out` cannot be written, InputError and WeightsError for what does not fit or is not finite, as define does.
    """
    check_file(Path(out), weights)
    choice = chosen(scheme, method, smooth, attention, tolerance, data is not None, placement)
    network = define(model, inputs, weights, ignored=ignored, quantization=Watch())
    calls = None if data is None else calls_of(data, network, batch)
    part = calibrated(Part(model, inputs, network, calls), choice, skip, tolerance, fold, correct, tell)
    return written(Path(out), [part])


@dataclass(frozen=True)
class Part:
    """One network of a checkpoint. network: of floats, defined with Watch. calls: the same at each pass, or None."""

    model: Model
    inputs: Mapping[str, Declared] | None
    network: DefinedNetwork
    calls: Iterable[Mapping[str, Any]] | None


@dataclass(frozen=True)
class Calibrated:
    """What of a network is quantized. keys: of weights, and names of attentions. norms: keys of folded batch norms.

    reasons, others: why other weights, and attentions, stay floats.
    alone: the error with each module alone, where that was tried. error: of the outputs, None without calls.
    """

    prepared: PreparedModel
    keys: Collection[str]
    reasons: Mapping[str, str]
    others: Mapping[str, str]
    norms: Collection[str]
    alpha: float | None
    alone: Mapping[str, float]
    error: float | None


def calibrated(
    part: Part,
    choice: Choice,
    skip: Sequence[str],
    tolerance: float | None,
    fold: bool,
    correct: bool,
    tell: Callable[[str], None],
) -> Calibrated:
    """Calibrates a network; takes and raises what quantize does."""
    kept = taken(part.network, choice, skip)
    trials = None
    if part.calls is not None:
        trials = Trials(part.model, part.inputs, part.network, [*islice(part.calls, COMPARED)], tell)
    made = _Preparing(part.network, kept, choice, fold, correct, part.calls or [], tell)
    prepared = made.by_alpha(trials)
    found = None if tolerance is None or trials is None else _placed(trials, prepared, tolerance)
    keys = prepared.everything if found is None else found.modules
    error = found.error if found is not None else None if trials is None else trials.error(prepared, keys)
    alone = {} if found is None else found.alone
    return Calibrated(prepared, keys, made.kept.reasons, made.kept.others, made.norms, made.alpha, alone, error)


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
        self._operations = operations(network, kept.weights, choice.placement)
        needed = dict.fromkeys([*kept.weights, *(key for group in self._groups for key in group.keys)])
        others = {**uses(network, kept.attentions), **self._operations.observed}
        self._observer = Observer(network, needed, tell, others)
        self._seen = self._observer.observe(calls)
        self.kept = kept = seen_only(kept, choice, self._seen)
        self.norms = folded(network.checkpoint, watched(network), kept.weights) if fold else {}
        self.alpha: float | None = None

    def by_alpha(self, trials: Trials | None) -> PreparedModel:
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
        seen = self._operations.shared(seen)
        made = prepared(self._network, kept.weights, seen, self.norms, smoothing, self._options)
        if self._operations.all:
            dtype = dtypes.get(str(self._choice.scheme.inputs))
            activations = self._operations.calibrated(seen, dtype, self._choice.method)
            made = replace(made, activations=activations, operations=self._operations)
        if not kept.attentions:
            return made
        attentions = calibrated_attention(kept.attentions, seen, self._choice.attention, self._choice.method)
        named = {attention_name(path): path for path in attentions}
        return replace(made, attentions={name: attentions[path] for name, path in named.items()}, paths=named)


def _placed(trials: Trials, prepared: PreparedModel, tolerance: float) -> Found:
    by_module = {prepared.weights[key].module if key in prepared.weights else key: key for key in prepared.everything}
    errors = Search(list(by_module), lambda modules: trials.error(prepared, [by_module[each] for each in modules]))
    found = errors.search(tolerance)
    return replace(found, modules=tuple(by_module[each] for each in found.modules))


def written(path: Path, parts: Sequence[Calibrated], form: Form | None = None) -> QuantizedCheckpoint:
    """Writes the networks of one checkpoint: what is quantized and the floats beside it. form: as `write` takes it."""
    weights: dict[str, Written] = {}
    arrays: dict[str, Any] = {}
    by_path: dict[str, QuantizedAttention] = {}
    activations: dict[str, QuantizedActivation] = {}
    for part in parts:
        weights |= _weights(part)
        arrays |= part.prepared.arrays(part.keys)
        chosen = {name: found for name, found in part.prepared.attentions.items() if name in part.keys}
        activations |= part.prepared.placed(part.keys)
        by_path |= {part.prepared.paths[name]: found for name, found in chosen.items()}
    keys = [*dict.fromkeys(key for part in parts for key in part.prepared.network.keys)]
    write(path, parts[0].prepared.network.checkpoint, keys, weights, arrays, by_path, form, activations)
    errors = [part.error for part in parts if part.error is not None]
    return QuantizedCheckpoint(
        path,
        tuple(row for part in parts for row in _rows(part)),
        {key: why for part in parts for key, why in _floats(part).items()},
        max(errors) if errors else None,
        tuple(each for part in parts for each in _sensitive(part)),
        tuple(row for part in parts for row in _attention_rows(part)),
        tuple(part.alpha for part in parts),
        tuple(row for part in parts for row in _activation_rows(part)),
        {name: why for part in parts for name, why in _others(part).items()},
    )


def _chosen(part: Calibrated) -> list[Prepared]:
    return [part.prepared.weights[key] for key in part.keys if key in part.prepared.weights]


def _inputs(weight: Prepared) -> tuple[DType | None, float]:
    """The dtype of the inputs of a weight's product, None for floats, and their scale."""
    kind = weight.scheme.inputs
    return None if kind is None else dtypes.get(kind), weight.scheme.input_scale or 1.0


def _weights(part: Calibrated) -> dict[str, Written]:
    return {
        weight.key: Written(weight.key, weight.form, *_inputs(weight), weight.scheme.input_block or 0)
        for weight in _chosen(part)
    }


def _rows(part: Calibrated) -> Iterator[Row]:
    for weight in _chosen(part):
        key, values, (kind, scale) = weight.key, part.prepared.seen[weight.key].values, _inputs(weight)
        yield Row(
            key, str(weight.scheme), weight.error, values.largest, scale, part.alone.get(weight.module),
            part.prepared.smoothed(key), key in part.norms, weight.mean_error is not None,
            0.0 if kind is None or weight.scheme.input_block else scale * largest_of(kind), values.logarithms(),
        )  # fmt: skip


def _floats(part: Calibrated) -> dict[str, str]:
    """Why weights of two or more axes stay floats, by key."""
    reasons = {**part.reasons, **{key: SENSITIVE for key in part.prepared.weights if key not in part.keys}}
    return {key: reasons[key] for key in part.prepared.network.keys if key in reasons}


def _others(part: Calibrated) -> dict[str, str]:
    """Why attentions and operations stay floats, by name."""
    made, placed = part.prepared, part.prepared.placed(part.keys)
    attentions = {name: SENSITIVE for name in made.attentions if name not in part.keys}
    left = [one.name for one in made.operations.all if one.name not in placed]
    return {**part.others, **attentions, **{name: ALONE if name in made.activations else UNSEEN for name in left}}


def _sensitive(part: Calibrated) -> tuple[tuple[str, float], ...]:
    chosen = {*part.keys, *(weight.module for weight in _chosen(part))}
    return tuple((module, off) for module, off in part.alone.items() if module not in chosen)


def _attention_rows(part: Calibrated) -> Iterator[AttentionRow]:
    for name, found in part.prepared.attentions.items():
        if name in part.keys:
            yield AttentionRow(
                name, str(found), largest_seen(part.prepared.paths[name], part.prepared.seen),
                (found.query, found.key, found.probability, found.value), part.alone.get(name),
            )  # fmt: skip


def _activation_rows(part: Calibrated) -> Iterator[ActivationRow]:
    placed, found = part.prepared.placed(part.keys), part.prepared.operations
    for one in found.all:
        if one.name in placed:
            inputs = tuple(key for key in part.keys if found.inputs.get(key) == one.range)
            yield ActivationRow(
                one.name, str(placed[one.name]), found.largest(one, part.prepared.seen), placed[one.name].scale,
                one.range if one.range != one.name else "", inputs,
            )  # fmt: skip
