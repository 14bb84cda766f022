"""From a defined network to a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trtnet.builder.collectives import checked
from trtnet.builder.config import BuildConfig, apply, rounds_to_tf32
from trtnet.builder.plan import Plan, PlanInfo, ShapeRange
from trtnet.builder.profiles import Dims, add_profiles, profile_shapes
from trtnet.builder.progress import ProgressBar
from trtnet.builder.quantization_support import NOT_BUILT, check_quantization
from trtnet.builder.shape_check import check_shapes
from trtnet.builder.timing import timings
from trtnet.graph import Dim, Network, Tensor
from trtnet.graph.layers.work import Work, count
from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import BuildError

OLD_DRIVER = "CUDA error 222"  # CUDA_ERROR_UNSUPPORTED_PTX_VERSION
REFIT_NEEDS_A_GPU = "TensorRT-RTX builds engines for refit only where there is a GPU: build there, or without refit"


def build_plan(
    network: Network, dims: Dims | Sequence[Dims] | None, config: BuildConfig, record: PlanInfo | None = None
) -> Plan:
    """Compiles the network.

    dims: the sizes of its dynamic dimensions, one mapping or one a profile. record: what else the sidecar shall say.
    Raises ProfileError for sizes that do not fit or that a layer does not take, BuildError with TensorRT's words if it
    does not build.
    """
    if not isinstance(config, BuildConfig):
        raise BuildError(f"config is a trtnet.BuildConfig, as BuildConfig(workspace=1 << 30); found {config!r}")
    if not network.outputs:
        raise BuildError("the network has no outputs")
    profiles = profile_shapes(network, dims)
    check_shapes(network, profiles)
    target = apply(config, network)
    check_quantization(network.quantized, config.compute_capabilities)
    add_profiles(network, target, profiles)
    if config.refittable:
        network.name_weights()
    with timings(target, config.timing_cache), checked(network):
        data = _serialize(network, target, config)
    works = _works(network, profiles)
    info = replace(
        record or describe(network),
        profiles=profiles,
        compute_capabilities=config.compute_capabilities,
        tf32=rounds_to_tf32(config),
        flops=tuple(work.flops for work in works),
        minimum_bytes=tuple(work.minimum_bytes for work in works),
    )
    if config.refittable:
        names, folded = tuple(sorted(network.named)), tuple(sorted(network.folded))
        info = replace(info, refittable=names, folded=folded, stripped=config.strip)
    return Plan(data, info)


def _works(network: Network, profiles: Sequence[Mapping[str, ShapeRange]]) -> list[Work]:
    """What an inference takes, by profile; nothing where TensorRT-RTX loses the shapes that are tried."""
    if network.loses_shapes:
        return []
    return [count(network.trt, {name: shapes[1] for name, shapes in profile.items()}) for profile in profiles]


def describe(network: Network) -> PlanInfo:
    """What a network says of itself before it is built."""
    rank = network.division.described
    return PlanInfo(
        backend=backend.name(),
        backend_version=backend.version(),
        inputs=tuple(_info(name, tensor, network) for name, tensor in network.inputs.items()),
        outputs=tuple(_info(name, tensor, network) for name, tensor in network.outputs.items()),
        profiles=(),
        dtype=network.precision.whole.name,
        dtypes=network.precision.parts,
        forms=network.forms.chosen,
        forms_by=network.forms.by,
        quantization=network.quantized.described,
        rank=rank.rank,
        ranks=rank.ranks,
        divided=dict(rank.divided),
        states=network.states,
        float8_groups=bool(network.quantized.grouped),
    )


def _info(name: str, tensor: Tensor, network: Network) -> TensorInfo:
    shape = tuple(size.name if isinstance(size, Dim) else size for size in tensor.shape)
    values, rows = network.values.get(name, ()), network.tables.get(name, 0)
    return TensorInfo(name, shape, tensor.dtype.name, values, rows)


def _serialize(network: Network, target: trt.IBuilderConfig, config: BuildConfig) -> bytes:
    network.recorder.clear()
    monitor = ProgressBar(config.progress)
    target.progress_monitor = monitor
    with monitor:
        blob = network.builder.build_serialized_network(network.trt, target)
    if monitor.interrupted is not None:
        raise monitor.interrupted
    if blob is None:
        words = "\n".join(f"  TensorRT: {text}" for text in network.recorder.take())
        advice = _advice(words, config)
        raise BuildError(f"TensorRT did not build the engine\n{words or '  (it gave no reason; see the log)'}{advice}")
    return bytes(blob)


def _advice(said: str, config: BuildConfig) -> str:
    if OLD_DRIVER in said:
        return (
            f"\n  the GPU's driver is older than the CUDA of {backend.name()} {backend.version()}: update the driver,"
            f" or use an older version"
        )
    why = next((why for words, why in NOT_BUILT.items() if words in said), None)
    if why is not None:
        return f"\n  {why}"
    return f"\n  {REFIT_NEEDS_A_GPU}" if config.refittable and backend.name() == "tensorrt_rtx" else ""
