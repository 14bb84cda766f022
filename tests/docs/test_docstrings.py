"""Every public docstring has the common form, and the layers that it names are those that the operation adds."""

from __future__ import annotations

import contextlib
import re
from types import SimpleNamespace

import pytest
from helpers.conformance.surfaces import surfaces
from helpers.docs.docstring_parts import Docstring, missing
from ops.searching.families import TABLE
from ops.searching.running import define, own_model, torch_model
from ops.searching.table import some_cases

import trtnet
from trtnet import nn, ops
from trtnet.graph.layers.kinds import KINDS
from trtnet.ops.reductions import small_axes
from trtnet.ops.shapes import first_parts
from trtnet.ops.writes.in_place import FUNCTIONS, METHODS, OWN
from trtnet.support.errors import ModelError, TrtnetError

PARTS = {
    "ops": ("Returns", "Layer:", "Raises "),
    "nn": ("Weights:", "Layer:", "Raises "),
    "trtnet, a function": ("Returns", "Raises "),
    "trtnet, a class": ("Raises ",),
}
"""The namespaces that are read, and what each of their docstrings has beside a summary, shapes and dtypes."""

_FORMULAS_NAMES = """
acos acosh affine_grid asin asinh atan atan2 atanh batch_norm batched_nms bilinear cdist celu channel_shuffle
conv_transpose2d cos cosh cosine_similarity cross deform_conv2d dist dropout dynamic_quantize einsum elu embedding_bag
erf erfc exp expm1 fmod gelu glu grid_sample group_norm hardshrink hardsigmoid hardswish hardtanh instance_norm
interpolate isclose kron layer_norm leaky_relu lerp local_response_norm log log1p log_softmax logaddexp logit
logsigmoid logcumsumexp logsumexp lp_pool1d lp_pool2d lp_pool3d mish mixture_of_experts nms norm normalize
pairwise_distance pixel_shuffle pixel_unshuffle prelu quantize relu relu6 rms_norm roi_align rotary_embedding rrelu
scaled_dot_product_attention selu sigmoid silu sin sinc sinh softmax softmin softplus softshrink softsign std std_mean
stft tan tanh tanhshrink threshold cumulative_trapezoid trapezoid trapz var var_mean xlogy
"""
FORMULAS = frozenset(_FORMULAS_NAMES.split())
"""The functions that are formulas of a paper, a standard or torch's documentation."""

_PLACES = sorted(f"{name}_" for name in METHODS | FUNCTIONS if name in ops.__all__)
OPERATIONS = [*ops.__all__, *OWN, *_PLACES]

UNCHECKED = {
    "Plugin": "no operation: what `custom` adds",
    "QuickPlugin": "no operation: what `custom` adds",
    "custom": "needs a plugin",
    "dynamic_quantize": "the search has no case of it: its dtypes are not torch's",
    "kv_cache_update": "the search has no case of it: its input shares memory with its output",
    "masked_select": "always raises",
    "non_max_suppression": "the search has no case of it: this backend has no kernels for it",
    "nonzero": "TensorRT-RTX has no kernels for it",
    "numel": "gives a number",
    "batch_norm": "folds into a convolution: tests/ops/convolutions/test_batch_norm_folding.py",
}
"""Operations whose layers are not looked at, and why."""

TRIVIAL = {"CAST", "CONSTANT", "IDENTITY", "SHUFFLE", "SLICE"}
"""Layers that reshape, move and convert, which a case may have around any operation."""
COMMON = TRIVIAL | {"ELEMENTWISE", "UNARY", "SELECT", "REDUCE", "FILL"}
"""Layers that a case may have beside those of the operation: it computes arguments and uses results."""

BOUNDARIES = {"IAttention": "ATTENTION_OUTPUT", "ILoop": "TRIP_LIMIT", "IIfConditional": "CONDITION"}
"""Structures of several layers, by one that each of them has."""
KIND_OF = {kind.cls: kind.name for kind in KINDS.values() if kind.cls} | BOUNDARIES
INSIDE = {
    "ILoop": {"TRIP_LIMIT", "RECURRENCE", "ITERATOR", "LOOP_OUTPUT"},
    "IIfConditional": {"CONDITION", "CONDITIONAL_INPUT", "CONDITIONAL_OUTPUT"},
    "IAttention": {"ATTENTION_INPUT", "ATTENTION_OUTPUT"},
}
"""What stands for its whole structure."""


WITH_WEIGHTS = {"Linear", "Conv2d", "BatchNorm2d", "LSTM", "MultiheadAttention", "Embedding"}
MODULES = ("errors", "models", "nn", "ops", "weights")
RUN = {
    **dict.fromkeys(("BuildConfig", "Engine", "EngineOptions"), "how engines are built and run"),
    "Tensor": "the operations say what its methods take, and raise",
    "Tolerance": "limits of errors",
    "TranscriptionConfig": "how speech becomes text",
}
"""Classes of trtnet whose docstrings need no dtypes, and why."""
AROUND = {"argsort": {"GATHER"}, "dequantize": {"QUANTIZE"}}
"""What the search's cases compute with an operation: the elements that argsort orders, what is dequantized."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_every_part(name: str) -> None:
    lacks = missing(Docstring.of(getattr(ops, name)), PARTS["ops"], name.removesuffix("_") in FORMULAS)
    assert not lacks, f"ops.{name} lacks {', '.join(lacks)}"


@pytest.mark.parametrize("name", nn.__all__)
def test_a_module_has_every_part(name: str) -> None:
    found = Docstring.of(getattr(nn, name))
    lacks = missing(found, PARTS["nn"], sourced=False)
    assert not lacks, f"nn.{name} lacks {', '.join(lacks)}"
    there = {"ops": ops.__all__, "nn": nn.__all__}
    for reference in found.refers:
        home, _, target = reference.partition(".")
        assert home not in there or target in there[home], f"there is no {reference}"


@pytest.mark.parametrize("name", sorted(set(trtnet.__all__) - set(MODULES)))
def test_a_name_of_trtnet_has_every_part(name: str) -> None:
    thing = getattr(trtnet, name)
    found = Docstring.of(thing)
    if isinstance(thing, type) and issubclass(thing, TrtnetError):
        assert len(found.summary) >= 40, "an error says what happened"
        return
    lacks = set(missing(found, PARTS[f"trtnet, a {'class' if isinstance(thing, type) else 'function'}"], sourced=False))
    lacks -= {"shapes", "dtypes"} if name in RUN else {"shapes"}
    assert not lacks - ({"Raises "} if name == "Tensor" else set()), f"trtnet.{name} lacks {', '.join(lacks)}"


FUNCTIONS_OF_NN = [name for name in nn.__all__ if hasattr(getattr(nn, name), "function")]


@pytest.mark.parametrize("name", FUNCTIONS_OF_NN)
def test_a_module_of_one_function_names_it(name: str) -> None:
    assert f"ops.{getattr(nn, name).function.__name__}" in Docstring.of(getattr(nn, name)).refers


NO_WEIGHTS_LOOKED_AT = {
    **dict.fromkeys(("ModuleDict", "ModuleList", "ParameterDict", "ParameterList"), "has those of its members"),
    "Buffer": "is a weight",
    "Function": "is a base class",
    "Module": "is a base class",
    "Parameter": "is a weight",
    "TransposedLinear": "torch has none",
    "join_heads": "is a function",
    "split_heads": "is a function",
}
"""Names of nn that the search has no case of, or whose case has other layers, and why."""


@pytest.mark.parametrize("name", [name for name in nn.__all__ if name not in NO_WEIGHTS_LOOKED_AT])
def test_the_weights_of_a_module_are_named(name: str) -> None:
    told = Docstring.of(getattr(nn, name)).marked["Weights:"]
    found = {key for module in _modules(name) for key in module.state_dict()}
    assert bool(found) or name not in WITH_WEIGHTS, "no case of the search has weights"
    for key in found:
        first = re.sub(r"_l\d+(_reverse)?$", "_lk", key.partition(".")[0])
        assert re.search(rf"\b{first}\b|its members|those of its", told), f"nn.{name} does not name {key}: {told}"
    assert not told.startswith("Weights: none.") or not found


def _modules(name: str) -> list[nn.Module]:
    """Modules of a class, as the search makes them."""
    models = []
    for case in some_cases(name, 8, seed=3):
        with contextlib.suppress(ModelError):  # settings that trtnet refuses
            models += [own_model(case)] if case.layer.startswith(f"nn.{name}(") else []
    assert models, "no case of the search: give a reason"
    return [model.layer for model in models]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_layer_that_is_named_is_one_of_tensorrts(name: str) -> None:
    known = set().union(*surfaces().values())
    assert set(Docstring.of(getattr(ops, name)).classes) <= known


def test_every_formula_is_an_operation() -> None:
    assert set(ops.__all__) >= FORMULAS
    assert set(ops.__all__) >= set(UNCHECKED) >= set(ops.__all__) - set(TABLE)


@pytest.mark.parametrize("part", ["shapes", "dtypes", "Returns", "Layer:", "Raises ", "Source:"])
def test_a_missing_part_is_found(part: str) -> None:
    whole = {
        "shapes": "x: [batch, n].",
        "dtypes": "Of floating numbers.",
        "Returns": "Returns it.",
        "Layer:": "\nLayer: IUnaryLayer EXP.",
        "Raises ": "\nRaises LayerError for others.",
        "Source:": "\nSource: a paper.",
    }

    def documented(without: str) -> Docstring:
        text = "".join(f" {words}" if words[0] != "\n" else words for at, words in whole.items() if at != without)
        return Docstring.of(type("Thing", (), {"__doc__": f"A summary of the operation.\n\n{text.strip()}\n"}))

    assert missing(documented(""), PARTS["ops"], sourced=True) == []
    assert missing(documented(part), PARTS["ops"], sourced=True) == [part]


@pytest.mark.parametrize("name", [name for name in ops.__all__ if name not in UNCHECKED])
def test_the_layers_that_are_named_are_added(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that is named stands in some case's network; a layer for few operations is named where all have it.

    They are those without the gathers that TensorRT-RTX needs of first elements and reductions of few.
    """
    for module in (first_parts, small_axes):
        monkeypatch.setattr(module, "backend", SimpleNamespace(name=lambda: "tensorrt"))
    found = Docstring.of(getattr(ops, name))
    kinds = _kinds(name)
    assert kinds, "no case of the search could be defined: give a reason in UNCHECKED"
    claimed = [KIND_OF[cls] for cls in found.classes if cls in KIND_OF]
    union, always = set().union(*kinds), set.intersection(*kinds)
    if found.has_no_layer:
        assert union & set(claimed) or union <= COMMON
    else:
        assert claimed[0] in union, f"{found.layer!r}, found {sorted(union)}"
    structures = [inside for cls, inside in INSIDE.items() if cls in found.classes]
    assert always - COMMON - AROUND.get(name, set()) <= set(claimed).union(*structures), (
        f"{found.layer!r} leaves out layers"
    )


def _kinds(name: str) -> list[set[str]]:
    """The kinds of layers in the networks of some cases of an operation."""
    result = []
    for case in some_cases(name, 24, seed=3):
        try:
            network = define(case, torch_model(case), dynamic=False).trt
        except (TrtnetError, AttributeError, IndexError, RuntimeError, TypeError, ValueError):  # of torch too
            continue
        result.append({network.get_layer(i).type.name for i in range(network.num_layers)})
        if len(result) == 8:
            break
    return result
