"""What TensorRT-RTX's kernels for the shapes it sees are worth: error against PyTorch and milliseconds a call, with and
without them. EfficientNet-Lite0 in float32 shows why trtnet does not let it specialize there, and the engine that
NVIDIA's ONNX parser makes of the same model shows whose the numbers are.

    NVIDIA_TF32_OVERRIDE=0 python tests/gpu/specialization.py
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals
from helpers.comparing import relative_l2
from helpers.originals import randomize

import trtnet
from trtnet import models
from trtnet.builder import Plan
from trtnet.runtime.execution import context
from trtnet.support.backend import trt

SPECIALIZES = (False, True)
BATCHES = (1, 8, 32)
MODELS = {
    "efficientnet_lite0": (models.efficientnet_lite0, originals.efficientnet_lite0),
    "resnet50": (models.resnet50, lambda: originals.resnet("resnet50")),
}


def images(batch: int) -> torch.Tensor:
    return torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(batch))


def milliseconds(call: Callable[[], Any]) -> float:
    """The median of 50 calls after 20."""
    times = []
    for _ in range(70):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[20:])


def measure(label: str, engine: trtnet.Engine, original: torch.nn.Module, dtype: torch.dtype) -> None:
    for specializes in SPECIALIZES:
        context.specializes = lambda info, answer=specializes: answer
        session = engine.session()
        for batch in BATCHES:
            x = images(batch).cuda()
            with torch.inference_mode():
                wanted = original(x).float().cpu()
            y = x.to(dtype)
            for _ in range(5):
                found = session(y)
            time.sleep(0.5)  # LAZY compiles beside the calls
            error = relative_l2(session(y).float().cpu(), wanted)
            first = relative_l2(found.float().cpu(), wanted)
            took = milliseconds(lambda: session(y))  # noqa: B023
            strategy = "LAZY" if specializes else "NONE"
            print(f"{label:36} {strategy} batch {batch:2}: {took:7.3f} ms, {first:.1e}, then {error:.1e}", flush=True)


def from_onnx(original: torch.nn.Module, like: trtnet.Engine) -> trtnet.Engine:
    """The engine that NVIDIA's parser and builder make of the exported model, trtnet's builder apart."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = f"{folder}/model.onnx"
        names: dict[str, Any] = {"input_names": ["image"], "output_names": ["output"]}
        axes = {"image": {0: "batch"}, "output": {0: "batch"}}
        torch.onnx.export(original.cpu(), (images(2),), path, dynamo=False, dynamic_axes=axes, **names)
        original.cuda()
        logger = trt.Logger(trt.Logger.ERROR)
        builder = trt.Builder(logger)
        network = builder.create_network(0)
        parser = trt.OnnxParser(network, logger)
        assert parser.parse_from_file(path)
        config, profile = builder.create_builder_config(), builder.create_optimization_profile()
        profile.set_shape("image", *((n, 3, 224, 224) for n in BATCHES))
        config.add_optimization_profile(profile)
        return trtnet.Engine(Plan(bytes(builder.build_serialized_network(network, config)), like.info))


def main() -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    print(f"{torch.cuda.get_device_name()}, {trt.__name__} {trt.__version__}, torch {torch.__version__}")
    for name, (ours, theirs) in MODELS.items():
        original = randomize(theirs()).cuda()
        for dtype in ("float32", "float16"):
            network = trtnet.define(ours(), weights=original, dtype=dtype)
            engine = network.build({"batch": BATCHES})
            measure(f"{name} {dtype}", engine, original, getattr(torch, dtype))
        static = trtnet.define(ours(), weights=original).build({"batch": 8})
        context.specializes = lambda info: True
        x = images(8).cuda()
        print(f"{name} float32, built for batch 8 alone: {milliseconds(lambda: static(x)):.3f} ms")  # noqa: B023
        if name == "efficientnet_lite0":
            like = trtnet.define(ours(), weights=original).build({"batch": BATCHES})
            measure(f"{name} float32 by NVIDIA's parser", from_onnx(original, like), original, torch.float32)


if __name__ == "__main__":
    main()
