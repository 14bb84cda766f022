"""Building: options, profiles, the plan file and its sidecar."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.comparing import network_of, same_plan

import trtnet
from trtnet import ops
from trtnet.builder import BuildConfig, Plan, build
from trtnet.builder.config import apply
from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.errors import BuildError, PlanError, ProfileError

INPUTS = {"x": trtnet.Input(("n", 3, "h")), "y": trtnet.Input(("n", 1, 8))}
RTX = backend.name() == "tensorrt_rtx"


def network() -> trtnet.DefinedNetwork:
    return network_of(lambda x, y: (ops.relu(x), y * 2), INPUTS)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return network().build({"n": (1, 2, 4), "h": 8}).plan


def test_profiles_list_every_input() -> None:
    ranges = [{"n": (1, 2, 4), "h": 8}, {"n": 16, "h": (1, 8, 64)}]
    info = network().build(ranges).info
    assert info.profiles == (
        {"x": ((1, 3, 8), (2, 3, 8), (4, 3, 8)), "y": ((1, 1, 8), (2, 1, 8), (4, 1, 8))},
        {"x": ((16, 3, 1), (16, 3, 8), (16, 3, 64)), "y": ((16, 1, 8), (16, 1, 8), (16, 1, 8))},
    )


def test_a_static_network_needs_no_dims() -> None:
    info = network_of(lambda x: x * 2, {"x": trtnet.Input((4, 3))}).build().info
    assert info.profiles == ({"x": ((4, 3), (4, 3), (4, 3))},)
    assert info.inputs[0].shape == (4, 3)


@pytest.mark.parametrize(
    ("dims", "text"),
    [
        (None, r'dims needs the sizes of h, n: build\(dims=\{"h": \(1, 8, 32\), "n": \(1, 8, 32\)\}\)'),
        ({"n": 1}, "dims needs the sizes of h"),
        ({"n": 1, "h": 1, "w": 1}, "dims names w, which no input has; they have n, h"),
        ({"n": (2, 1, 4), "h": 1}, r"n is \(min 2, opt 1, max 4\)"),
        ({"n": 0, "h": 1}, r"n is \(min 0, opt 0, max 0\)"),
        ({"n": 1}, r"for \(min, opt, max\), --dim h=1:8:32"),
        ({"n": (1, 8), "h": 1}, r"the size of n is an int or \(min, opt, max\), as in \(1, 8, 32\); found \(1, 8\)"),
        ({"n": "8", "h": 1}, r"the size of n is an int or .*; found '8'"),
        (3, "dims is a mapping of names to sizes, or a sequence of these.*; found 3"),
        ([{"n": 1, "h": 1}, 3], "dims is a mapping of names to sizes, or a sequence of these"),
        ([], "dims is an empty sequence"),
    ],
)
def test_dims_that_do_not_fit(dims: Any, text: str) -> None:
    with pytest.raises(ProfileError, match=text):
        network().build(dims)


def test_sizes_may_be_numpy_integers() -> None:
    assert network().build({"n": np.int64(2), "h": (1, np.int32(2), 4)}).info.profiles[0]["x"] == (
        (2, 3, 1), (2, 3, 2), (2, 3, 4),
    )  # fmt: skip


@pytest.mark.parametrize("config", [3, {"workspace": 1}, "fast"])
def test_a_configuration_is_a_build_config(config: Any) -> None:
    with pytest.raises(BuildError, match=r"config is a trtnet.BuildConfig, as BuildConfig\(.*; found"):
        network().build({"n": 1, "h": 1}, config)


def test_a_workspace_is_a_number_of_bytes() -> None:
    with pytest.raises(BuildError, match=r"workspace is 0 to .* bytes, found '4GiB'"):
        network().build({"n": 1, "h": 1}, BuildConfig(workspace="4GiB"))  # type: ignore[arg-type]


def test_a_plan_without_its_sidecar_says_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "x.engine").write_bytes(b"vtrt, a plan")
    with pytest.raises(PlanError, match=r"x.engine.json: No such file or directory. trtnet writes it beside each plan"):
        Plan.load(tmp_path / "x.engine")


def test_options_reach_tensorrt() -> None:
    one = network()
    target = apply(BuildConfig(workspace=1 << 30, optimization_level=2, profiling_verbosity="none"), one)
    assert target.profiling_verbosity == trt.ProfilingVerbosity.NONE
    assert target.get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE) == 1 << 30
    assert target.builder_optimization_level == 2
    assert not target.get_flag(trt.BuilderFlag.TF32)
    assert apply(BuildConfig(tf32=True), one).get_flag(trt.BuilderFlag.TF32)
    assert target.get_flag(trt.BuilderFlag.STRICT_NANS)
    assert not apply(BuildConfig(strict_nans=False), one).get_flag(trt.BuilderFlag.STRICT_NANS)


@pytest.mark.skipif(not RTX, reason="TensorRT heeds the flag")
@pytest.mark.parametrize(("options", "override", "warned"), [({}, "", 1), ({}, "0", 0), ({"tf32": True}, "", 0)])
def test_a_build_says_that_tensorrt_rtx_ignores_tf32(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, bool],
    override: str,
    warned: int,
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    apply(BuildConfig(**options), network())
    assert caplog.text.count("set NVIDIA_TF32_OVERRIDE=0 in the environment") == warned


def test_bad_options_are_refused() -> None:
    with pytest.raises(BuildError, match="optimization_level is 0 to 5, found 6"):
        apply(BuildConfig(optimization_level=6), network())
    with pytest.raises(BuildError, match="one of detailed, layer_names_only, none; found 'loud'"):
        apply(BuildConfig(profiling_verbosity="loud"), network())


@pytest.mark.skipif(not RTX, reason="TensorRT builds for the GPU in this machine")
def test_target_compute_capabilities() -> None:
    info = network().build({"n": 1, "h": 8}, BuildConfig(compute_capabilities=("8.6", "8.9"))).info
    assert info.compute_capabilities == ("8.6", "8.9")
    for wrong in ("6.1", "86", "abc"):
        with pytest.raises(BuildError, match=rf"compiles for .*8\.6, 8\.9.*; found '{wrong}'"):
            apply(BuildConfig(compute_capabilities=(wrong,)), network())


@pytest.mark.skipif(not RTX, reason="TensorRT has a timing cache")
def test_tensorrt_rtx_has_no_timing_cache(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no timing cache"):
        network().build({"n": 1, "h": 8}, BuildConfig(timing_cache=tmp_path / "t.cache"))


@pytest.mark.skipif(not RTX, reason="TensorRT builds for the GPU in this machine")
def test_a_failed_build_says_why_in_tensorrts_words() -> None:
    one = network_of(lambda x: x @ x, {"x": trtnet.Input((8, 8))}, "bfloat16")
    with pytest.raises(BuildError, match=r"TensorRT did not build the engine\n  TensorRT: .+"):
        one.build(config=BuildConfig(compute_capabilities=("7.5",)))


def test_the_progress_bar_follows_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(network().build({"n": 1, "h": 8}, BuildConfig(progress=True)).plan.data) > 1000
    assert capsys.readouterr().out == ""


def test_builds_are_reproducible(plan: Plan) -> None:
    assert same_plan(network().build({"n": (1, 2, 4), "h": 8}).plan.data, plan.data)


def test_the_plan_and_its_sidecar_come_back(plan: Plan, tmp_path: Path) -> None:
    plan.save(tmp_path / "e.engine")
    assert Plan.load(tmp_path / "e.engine") == plan
    assert {p.name for p in tmp_path.iterdir()} == {"e.engine", "e.engine.json"}
    sidecar = json.loads((tmp_path / "e.engine.json").read_text())
    assert sidecar["backend"] == backend.name() and sidecar["backend_version"] == backend.version()
    assert [t["shape"] for t in sidecar["inputs"]] == [["n", 3, "h"], ["n", 1, 8]]


def test_a_sidecar_from_before_fields_that_have_defaults_is_read(plan: Plan, tmp_path: Path) -> None:
    plan.save(tmp_path / "e.engine")
    sidecar = tmp_path / "e.engine.json"
    document = json.loads(sidecar.read_text())
    for name in ("tf32", "forms", "forms_by", "quantization"):
        del document[name]
    sidecar.write_text(json.dumps(document))
    info = Plan.load(tmp_path / "e.engine").info
    assert (info.tf32, info.forms, info.forms_by, info.quantization) == (None, {}, {}, {})


def test_the_sidecar_says_what_an_inference_takes_at_each_profiles_opt_shapes(tmp_path: Path) -> None:
    network().build([{"n": (1, 2, 4), "h": 8}, {"n": 16, "h": (1, 32, 64)}]).save(tmp_path / "e.engine")
    info = Plan.load(tmp_path / "e.engine").info
    assert info.flops == (2 * 3 * 8 + 2 * 8, 16 * 3 * 32 + 16 * 8)
    assert info.minimum_bytes == tuple(2 * 4 * count + 4 for count in info.flops)  # read, written; the factor


def corrupt(folder: Path, what: str) -> None:
    plan, sidecar = folder / "e.engine", folder / "e.engine.json"
    changes = {
        "no plan": plan.unlink,
        "no sidecar": sidecar.unlink,
        "truncated": lambda: plan.write_bytes(plan.read_bytes()[:-1]),
        "changed": lambda: plan.write_bytes(b"x" + plan.read_bytes()[1:]),
        "no json": lambda: sidecar.write_text("{"),
        "other json": lambda: sidecar.write_text("{}"),
        "a list": lambda: sidecar.write_text("[]"),
        "future": lambda: sidecar.write_text(sidecar.read_text().replace('"sidecar": 2', '"sidecar": 99')),
    }
    changes[what]()


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("no plan", "cannot read the engine .*e.engine: No such file"),
        ("no sidecar", "cannot read the engine .*e.engine.json: No such file"),
        ("truncated", "is not the plan that .*e.engine.json describes"),
        ("changed", "is not the plan that .*e.engine.json describes"),
        ("no json", "is not a sidecar that trtnet wrote"),
        ("other json", "is not a sidecar that trtnet wrote"),
        ("a list", "is not a sidecar that trtnet wrote"),
        ("future", "sidecar version 99, this trtnet reads 2: build the engine again"),
    ],
)
def test_corrupt_plans_are_refused(plan: Plan, tmp_path: Path, what: str, text: str) -> None:
    plan.save(tmp_path / "e.engine")
    corrupt(tmp_path, what)
    with pytest.raises(PlanError, match=text):
        trtnet.load(tmp_path / "e.engine")


def test_a_place_that_cannot_be_written_leaves_nothing(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"cannot write the engine to .*: there is no folder .*none: make it first"):
        plan.save(tmp_path / "none" / "e.engine")
    (tmp_path / "e.engine").mkdir()
    with pytest.raises(PlanError, match="cannot write the engine"):
        plan.save(tmp_path / "e.engine")
    assert [p.name for p in tmp_path.iterdir()] == ["e.engine"]
    assert not list((tmp_path / "e.engine").iterdir())


@pytest.mark.parametrize("progress", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("call", ["add_task", "update", "remove_task"])
def test_an_interruption_while_building_cancels_the_build(
    call: str, error: type[BaseException], progress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(f"rich.progress.Progress.{call}", pressed)
    with pytest.raises(error):
        network().build({"n": 1, "h": 8}, BuildConfig(progress=progress))


def test_a_driver_older_than_tensorrt_is_named() -> None:
    said = ["Myelin ([cudamod.cpp:31: CUDAMod] CUDA error 222 loading a module."]
    refusing: Any = SimpleNamespace(
        recorder=SimpleNamespace(clear=list, take=lambda: said),
        builder=SimpleNamespace(build_serialized_network=lambda network, config: None),
        trt=None,
    )
    with pytest.raises(BuildError, match=r"CUDA error 222(.|\n)*driver is older than the CUDA of"):
        build._serialize(refusing, SimpleNamespace(), BuildConfig())
