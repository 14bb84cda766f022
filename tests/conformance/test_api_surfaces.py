"""Every TensorRT name trtnet touches exists in seven released versions, or stands behind the capability table."""

from __future__ import annotations

import re
from typing import Any

import pytest
from helpers.comparing import network_of, random_weights
from helpers.conformance.surfaces import Surface, arguments, lookup, result_class, surfaces
from helpers.conformance.touched import LAYER_CLASSES, Recorder, in_source
from ops.cases.all_cases import ALL_CASES
from ops.cases.case import define

import trtnet
from trtnet import models, ops
from trtnet.support import backend
from trtnet.support.backend import CAPABILITIES

VERSIONS = surfaces()

# Names that are touched only where a capability is there: it, or what its route alone uses.
BEHIND: dict[str, str] = {
    r"CausalMaskKind.*": "attention_v2",
    r"CollectiveOperation.*": "collectives",
    r"AttentionNormalizationOp.*|INetworkDefinition\.add_attention_v2|IAttention.*": "attention_v2",
    r"ComputeCapability.*": "target_compute_capabilities",
    r"IBuilderConfig\.(num_compute_capabilities|set_compute_capability)": "target_compute_capabilities",
    r"IBuilderConfig\.(create_timing_cache|set_timing_cache|get_timing_cache)": "timing_cache",
    r"DynamicShapesKernelSpecializationStrategy.*|IRuntimeConfig\.dynamic_shapes.*": "kernel_specialization",
    r"CudaGraphStrategy.*": "cuda_graph_strategy",
    r"KVCacheMode.*|IKVCacheUpdateLayer.*": "kv_cache_update",
    r"IRotaryEmbeddingLayer.*": "rotary_embedding",
    r"IMoELayer.*|MoEActType.*": "moe",
    r"NetworkDefinitionCreationFlag\.EXPLICIT_BATCH": "explicit_batch_flag",
    r"NetworkDefinitionCreationFlag\.STRONGLY_TYPED": "strongly_typed_flag",
    **{re.escape(dotted): feature for feature, dotted in CAPABILITIES.items()},
}
# Layers that only some versions put in a network: the reference reads them where their class is there.
OWN_CLASS = {f"{name}" for name in LAYER_CLASSES}


def excused(name: str, surface: Surface) -> bool:
    """Whether a version may lack a name: its capability is not there."""
    return any(
        re.fullmatch(pattern, name) and lookup(surface, CAPABILITIES[feature]) is None
        for pattern, feature in BEHIND.items()
    )


def missing(names: set[str], surface: Surface) -> set[str]:
    """The names that a version should have and has not."""
    return {name for name in names if not excused(name, surface) and not there(name, surface)}


def there(name: str, surface: Surface) -> bool:
    owner, _, member = name.partition(".")
    if owner == "layer":
        holders = {cls for cls in LAYER_CLASSES for s in VERSIONS.values() if lookup(s, f"{cls}.{member}") is not None}
        return any(cls not in surface or lookup(surface, f"{cls}.{member}") is not None for cls in holders)
    if owner in OWN_CLASS and owner not in surface:
        return True
    return lookup(surface, name) is not None


def wrong_methods(methods: set[tuple[str, frozenset[str]]], surface: Surface) -> set[str]:
    """Methods that a version has not, or whose argument names are others there."""
    found = set()
    for name, given in methods:
        if excused(name, surface):
            continue
        form = lookup(surface, name)
        if form is None:
            found.add(name)
        elif form and not any(given <= names for names in arguments(form)):
            found.add(f"{name}({', '.join(sorted(given))}), which takes {form}")
    return found


def wrong_attributes(attributes: set[tuple[str, str]], surface: Surface) -> set[str]:
    """Attributes that are set on a method's layer, and that its class has not."""
    found = set()
    for method, attribute in attributes:
        form = lookup(surface, method)
        if not form:
            continue
        name = f"{result_class(form)}.{attribute}"
        if not excused(name, surface) and lookup(surface, name) is None:
            found.add(name)
    return found


def loops_and_more(x: Any) -> Any:
    """Operations that the table has no row for."""
    total = ops.scan(lambda c, s: (c + s, c), x[0], x, reverse=True)[1]
    total = ops.for_loop(2, lambda i, v: (v + 1,), (total,))[0]
    total = ops.while_loop(lambda v: v.amax() < 5, lambda v: (v + 1,), (total,))[0]
    total = ops.cond(total.sum() > 0, lambda v: v, lambda v: v * 2, (total,))
    ops.assertion(total > -100, "far below")
    noise = ops.rand((x.shape[0], 32)) + ops.randn((2, 32))
    values, scales = ops.dynamic_quantize(x, (1, 32))
    wide = ops.dequantize(values, scales, dtype="float32")
    return total + noise.sum() + wide + ops.local_response_norm(x[None, None], 3)[0, 0]


def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What defining every row of the table and every model asks of TensorRT, by the newest and by the oldest routes."""
    recorder = Recorder(monkeypatch)
    for case in ALL_CASES:
        define(case, case.dtypes[0], list(case.shapes))
    network_of(loops_and_more, {"x": trtnet.Input((2, 32))})
    for model in (models.lenet(), models.unet(), models.resnet18(), models.efficientnet_lite0()):
        trtnet.define(model, weights=random_weights(model))
    for feature in CAPABILITIES:
        if feature not in ("explicit_batch_flag", "strongly_typed_flag", "bfloat16", "fp4", "cumulative", "plugins"):
            monkeypatch.setitem(backend.CAPABILITIES, feature, "INetworkDefinition.what_an_older_version_lacks")
    for case in ALL_CASES:
        define(case, case.dtypes[0], list(case.shapes))
    return recorder


def test_the_source_names_what_is_there() -> None:
    names = in_source()
    assert len(names) > 150, "the scan finds nothing: has the source moved?"
    assert {version: found for version, surface in VERSIONS.items() if (found := missing(names, surface))} == {}


def test_layers_are_made_with_methods_arguments_and_attributes_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    originals = dict(CAPABILITIES)
    recorder = recorded(monkeypatch)
    backend.CAPABILITIES.update(originals)
    assert len(recorder.methods) > 40 and len(recorder.attributes) > 40 and len(recorder.members) > 60
    for version, surface in VERSIONS.items():
        assert wrong_methods(recorder.methods, surface) == set(), version
        assert wrong_attributes(recorder.attributes, surface) == set(), version
        assert missing(recorder.members, surface) == set(), version


def test_a_misspelt_name_is_found() -> None:
    for surface in VERSIONS.values():
        assert missing({"ActivationType.RELUU"}, surface) == {"ActivationType.RELUU"}
        assert missing({"IBuilderConfig.set_flagg"}, surface) == {"IBuilderConfig.set_flagg"}
        assert missing({"layer.strides_nd"}, surface) == {"layer.strides_nd"}
        method = ("INetworkDefinition.add_softmax", frozenset({"inputs"}))
        assert wrong_methods({method}, surface) == {
            "INetworkDefinition.add_softmax(inputs), which takes input -> ISoftMaxLayer"
        }
        assert wrong_methods({("INetworkDefinition.add_softmaxx", frozenset())}, surface)
        assert wrong_attributes({("INetworkDefinition.add_softmax", "axis")}, surface) == {"ISoftMaxLayer.axis"}


def test_a_capability_that_no_version_has_is_found() -> None:
    for feature, dotted in CAPABILITIES.items():
        assert any(lookup(surface, dotted) is not None for surface in VERSIONS.values()), (feature, dotted)


@pytest.mark.skipif(backend.name() != "tensorrt_rtx", reason="the listing of this version is not kept")
def test_the_installed_version_is_as_listed() -> None:
    """Guards the listings: what they say of this version is what it has."""
    version = f"{backend.name()} {backend.version()}"
    if version not in VERSIONS:
        pytest.skip(f"no listing of {version}")
    for name, members in VERSIONS[version].items():
        for member in members:
            assert backend.lookup(f"{name}.{member}") is not None or member in dir(backend.lookup(name)), (name, member)
