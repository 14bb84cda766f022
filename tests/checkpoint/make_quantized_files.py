"""Writes tests/data/quantized: checkpoints that the libraries made, and what these say the weights are.

    PYTHONPATH=. PYTHON tests/checkpoint/make_quantized_files.py

PYTHON has torch, safetensors, transformers, compressed-tensors 0.20.0, torchao 0.18.0, auto-gptq 0.7.1,
gptqmodel 7.7.0, nvidia-modelopt 0.47.0 with omegaconf and pulp, and gguf 0.19.0 (all but torch installed with
--no-deps); trtnet's tests need none of them, but read the files.
A folder is a checkpoint with its configuration, `expected.safetensors` its float weights by the library's own function.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from trtnet.tools.targets.importing import declare_operators

OUT = Path(__file__).parents[1] / "data" / "quantized"
SITE = Path(torch.__file__).parents[1]
ROWS, COLUMNS, GROUP = 24, 128, 32
BFLOAT16, HALF, FLOAT = torch.bfloat16, torch.float16, torch.float32


def weight(rows: int = ROWS, columns: int = COLUMNS, dtype: torch.dtype = FLOAT) -> torch.Tensor:
    noise = torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows * columns))
    return (noise * torch.linspace(0.02, 0.3, rows)[:, None] + 0.01).to(dtype)


def write(name: str, tensors: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], config: dict[str, Any] | None,
          metadata: dict[str, str] | None = None) -> None:  # fmt: skip
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    plain = {"norm.weight": torch.ones(4, dtype=next(iter(expected.values())).dtype)}
    save_file({k: v.contiguous() for k, v in (tensors | plain).items()}, folder / "model.safetensors", metadata)
    save_file({k: v.contiguous() for k, v in (expected | plain).items()}, folder / "expected.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


# compressed-tensors: its own compressors pack and unpack


def compressed(
    name: str,
    form: str,
    arguments: dict[str, Any],
    dtype: torch.dtype = BFLOAT16,
    inputs: dict[str, Any] | None = None,
    shape: tuple[int, int] = (ROWS, COLUMNS),
) -> None:
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    args = QuantizationArgs(**arguments)
    scheme = QuantizationScheme(
        targets=["Linear"], weights=args, input_activations=QuantizationArgs(**inputs) if inputs else None
    )
    w = weight(*shape, dtype=dtype)
    state = {"weight": w, **parameters(w.float(), args, dtype)}
    codec = BaseCompressor.get_value_from_registry(form)
    packed = codec.compress(dict(state), scheme)
    expected = codec.decompress(dict(packed), scheme)["weight"]
    if inputs and not inputs.get("dynamic"):
        packed["input_scale"] = torch.tensor([0.0125])
    if form.startswith("nvfp4"):
        packed["input_global_scale"] = torch.tensor([896.0])
    group = {"weights": arguments, "input_activations": inputs, "targets": ["Linear"]}
    config = {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}, "ignore": []}
    tensors = {f"up.{key}": value for key, value in packed.items()}
    write(f"compressed_tensors_{name}", tensors, {"up.weight": expected}, {"quantization_config": config})


def parameters(w: torch.Tensor, args: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Scales and zero points by the extremes of each block, as an observer finds them."""
    rows, columns = w.shape
    height, width = (rows, columns) if args.strategy == "tensor" else (1, args.group_size or columns)
    if args.strategy == "block":
        height, width = args.block_structure
    down, across = -(-rows // height), -(-columns // width)
    padded = torch.zeros(down * height, across * width)
    padded[:rows, :columns] = w
    blocks = padded.reshape(down, height, across, width)
    low, high = blocks.amin((1, 3)).clamp(max=0), blocks.amax((1, 3)).clamp(min=0)
    amax = torch.maximum(-low, high)
    if args.type == "float" and args.num_bits == 4:
        if args.group_size == 32:
            return {"weight_scale": torch.exp2(torch.floor(torch.log2(amax)) - 2).to(dtype)}
        total = 448 * 6 / amax.max().reshape(1)
        scale = (total * amax / 6).to(torch.float8_e4m3fn).to(dtype)
        return {"weight_scale": scale, "weight_global_scale": total}
    if args.type == "float":
        scale = amax / 448
        return {"weight_scale": scale.reshape(1) if args.strategy == "tensor" else scale}
    steps = 2**args.num_bits - 1
    if args.symmetric:
        return {"weight_scale": (amax / (steps / 2)).to(dtype)}
    scale = ((high - low) / steps).to(dtype)
    zero = torch.round(-low / scale.float() - 2 ** (args.num_bits - 1)).clamp(
        -(2 ** (args.num_bits - 1)), 2 ** (args.num_bits - 1) - 1
    )
    return {"weight_scale": scale, "weight_zero_point": zero.to(torch.int8)}


def make_compressed() -> None:
    group = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": GROUP}
    compressed("int4", "pack-quantized", group | {"symmetric": True})
    compressed("int4_zero_points", "pack-quantized", group | {"symmetric": False}, HALF, shape=(20, COLUMNS))
    compressed("int3", "pack-quantized", group | {"num_bits": 3, "symmetric": True, "group_size": 64})
    compressed("int8_packed", "pack-quantized", {"num_bits": 8, "type": "int", "strategy": "channel"})
    token = {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True}
    compressed("int8", "int-quantized", {"num_bits": 8, "type": "int", "strategy": "channel"}, inputs=token)
    fp8 = {"num_bits": 8, "type": "float"}
    compressed("float8", "float-quantized", fp8 | {"strategy": "tensor"}, FLOAT, fp8 | {"strategy": "tensor"})
    compressed(
        "float8_channel",
        "float-quantized",
        fp8 | {"strategy": "channel"},
        FLOAT,
        fp8 | {"strategy": "token", "dynamic": True},
    )
    compressed(
        "float8_blocks",
        "naive-quantized",
        fp8 | {"strategy": "block", "block_structure": [16, 32]},
        FLOAT,
        shape=(40, 80),
    )
    fp4 = {"num_bits": 4, "type": "float"}
    compressed("nvfp4", "nvfp4-pack-quantized", fp4 | {"strategy": "tensor_group", "group_size": 16},
               inputs=fp4 | {"strategy": "tensor_group", "group_size": 16, "dynamic": "local"})  # fmt: skip
    compressed("mxfp4", "mxfp4-pack-quantized", fp4 | {"strategy": "group", "group_size": 32})


# GPTQ: AutoGPTQ packs; its forward, of which the weight is the product with the identity


def loaded(name: str, path: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, SITE / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_gptq() -> None:
    for name in ("auto_gptq", "auto_gptq.nn_modules", "auto_gptq.nn_modules.qlinear"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []  # type: ignore[attr-defined]
    qlinear = loaded("auto_gptq.nn_modules.qlinear.qlinear_cuda", "auto_gptq/nn_modules/qlinear/qlinear_cuda.py")
    for name, shuffled, version in (
        ("gptq", False, "gptq"),
        ("gptq_act_order", True, "gptq"),
        ("gptq_v2", False, "gptq_v2"),
    ):
        w = weight(32, COLUMNS, HALF)
        groups = torch.arange(COLUMNS) // GROUP
        if shuffled:
            groups = groups[torch.randperm(COLUMNS, generator=torch.Generator().manual_seed(5))]
        low = torch.stack([w[:, groups == g].float().amin(1) for g in range(COLUMNS // GROUP)], 1)
        high = torch.stack([w[:, groups == g].float().amax(1) for g in range(COLUMNS // GROUP)], 1)
        scale = ((high - low) / 15).half()
        zero = torch.round(-low / scale.float()).clamp(1, 15)
        line = torch.nn.Linear(COLUMNS, 32, bias=False)
        line.weight.data = w
        layer = qlinear.QuantLinear(4, GROUP, COLUMNS, 32, False, weight_dtype=HALF)
        layer.pack(line, scale, zero.clone(), groups.to(torch.int32))
        layer.autogptq_cuda_available = False
        expected = layer(torch.eye(COLUMNS, dtype=HALF)).T
        state = {key: value for key, value in layer.state_dict().items() if key != "bias"}
        if version == "gptq_v2":
            state["qzeros"] = state["qzeros"] + 0x11111111
        config = {
            "quant_method": "gptq",
            "bits": 4,
            "group_size": GROUP,
            "desc_act": shuffled,
            "checkpoint_format": version,
        }
        write(
            name,
            {f"up.{k}": v for k, v in state.items()},
            {"up.weight": expected.half()},
            {"quantization_config": config},
        )


def make_awq() -> None:
    packing = loaded("packing_utils", "gptqmodel/quantization/awq/utils/packing_utils.py")
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(0, 16, (COLUMNS, 32), generator=generator, dtype=torch.int32)
    zeros = torch.randint(0, 16, (COLUMNS // GROUP, 32), generator=generator, dtype=torch.int32)
    scales = (torch.rand(COLUMNS // GROUP, 32, generator=generator) * 0.01 + 0.001).half()
    qweight, qzeros = packing.pack_awq(codes, zeros, 4)
    expected = packing.dequantize_gemm(qweight, qzeros, scales, 4, GROUP).T
    config = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "zero_point": True, "version": "gemm"}
    tensors = {"up.qweight": qweight, "up.qzeros": qzeros, "up.scales": scales}
    write("awq", tensors, {"up.weight": expected}, {"quantization_config": config})


# ModelOpt: its export packs, its own tensors unpack; 4-bit integers it does not unpack


def make_modelopt() -> None:
    from modelopt.torch.export.quant_utils import from_quantized_weight, to_quantized_weight
    from modelopt.torch.quantization.qtensor import FP8QTensor, MXFP4QTensor, NVFP4QTensor

    def save(name: str, algorithm: str, parts: dict[str, torch.Tensor], expected: torch.Tensor) -> None:
        quantization = {"quant_method": "modelopt", "quant_algo": algorithm}
        tensors = {f"up.{key}": value for key, value in parts.items()}
        write(f"modelopt_{name}", tensors, {"up.weight": expected}, {"quantization_config": quantization})

    w = weight()
    rows = w.abs().amax(1)
    one = w.abs().max() / 448
    values = to_quantized_weight(w, one, "fp8")
    save("fp8", "FP8", {"weight": values, "weight_scale": one}, from_quantized_weight(values, one, "fp8", FLOAT))
    values = to_quantized_weight(w, rows / 448, "fp8_pc_pt")
    expected = FP8QTensor(w.shape, FLOAT, values).dequantize(scale=(rows / 448)[:, None])
    save("fp8_channel", "FP8_PER_CHANNEL_PER_TOKEN", {"weight": values, "weight_scale": rows / 448}, expected)
    values = to_quantized_weight(w, rows / 127, "int8_sq")
    expected = from_quantized_weight(values, rows / 127, "int8_sq", FLOAT)
    save("int8_sq", "W8A8_SQ_PER_CHANNEL", {"weight": values, "weight_scale": rows / 127}, expected)
    blocks = w.reshape(ROWS, -1, GROUP).abs().amax(2) / 7
    codes = (w / blocks.repeat_interleave(GROUP, 1)).round().clamp(-8, 7).to(torch.int8)
    packed = to_quantized_weight(w, blocks, "int4_awq", block_size=GROUP)
    save(
        "int4_awq", "W4A16_AWQ", {"weight": packed, "weight_scale": blocks}, codes * blocks.repeat_interleave(GROUP, 1)
    )
    made, scale, second = NVFP4QTensor.quantize(w, 16)
    expected = made.dequantize(FLOAT, scale=scale, double_scale=second, block_sizes={-1: 16})
    parts = {"weight": made._quantized_data, "weight_scale": scale, "weight_scale_2": second}
    save("nvfp4", "NVFP4", parts, expected)
    made, scale = MXFP4QTensor.quantize(w, 32)
    expected = made.dequantize(FLOAT, scale=scale, block_sizes={-1: 32})
    save("mxfp4", "MXFP4", {"weight": made._quantized_data, "weight_scale": scale.reshape(ROWS, -1)}, expected)


# FP8 blocks and gpt-oss: transformers' own conversions


def make_fp8_blocks() -> None:
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    w = weight(256, 128)
    scale = w.reshape(2, 128, 1, 128).abs().amax((1, 3)) / 448
    values = (w / scale.repeat_interleave(128, 0).repeat_interleave(128, 1)).to(torch.float8_e4m3fn)
    expected = Fp8Dequantize(None)._dequantize_one(values, scale, BFLOAT16)
    quantization = {
        "quant_method": "fp8",
        "weight_block_size": [128, 128],
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
    }
    config = {"torch_dtype": "bfloat16", "quantization_config": quantization}
    write("fp8_blocks", {"up.weight": values, "up.weight_scale_inv": scale}, {"up.weight": expected}, config)


def make_gpt_oss() -> None:
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    generator = torch.Generator().manual_seed(7)
    blocks = torch.randint(0, 256, (2, 6, 3, 16), generator=generator, dtype=torch.uint8)
    scales = torch.randint(118, 130, (2, 6, 3), generator=generator, dtype=torch.uint8)
    expected = convert_moe_packed_tensors(blocks, scales)
    tensors = {"experts.gate_up_proj_blocks": blocks, "experts.gate_up_proj_scales": scales}
    write("gpt_oss", tensors, {"experts.gate_up_proj": expected}, {"quantization_config": {"quant_method": "mxfp4"}})


def make_torchao() -> None:
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import Float8Tensor, Int8Tensor, IntxUnpackedToInt8Tensor, PerRow, PerTensor
    from torchao.quantization.quant_primitives import MappingType

    w = weight(dtype=BFLOAT16)
    made = {
        "int8.weight": Int8Tensor.from_hp(w, PerRow()),
        "zeros.weight": Int8Tensor.from_hp(w, PerRow(), mapping_type=MappingType.ASYMMETRIC),
        "float8.weight": Float8Tensor.from_hp(w, granularity=PerRow()),
        "tensor.weight": Float8Tensor.from_hp(w, granularity=PerTensor()),
        "int4.weight": IntxUnpackedToInt8Tensor.from_hp(w, (1, GROUP), torch.int4, mapping_type=MappingType.ASYMMETRIC),
    }
    tensors, metadata = flatten_tensor_state_dict(made | {"norm.weight": torch.ones(4, dtype=BFLOAT16)})
    tensors.pop("norm.weight")
    expected = {key: value.dequantize() for key, value in made.items()}
    write("torchao", tensors, expected, None, metadata)


def make_gguf() -> None:
    import gguf

    folder = OUT / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    expected, rng = {}, np.random.default_rng(11)
    for name in ("Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q5_K", "Q6_K"):
        kind = gguf.GGMLQuantizationType[name]
        size, width = gguf.GGML_QUANT_SIZES[kind]
        data = rng.integers(0, 256, (3, 2 * 256 // size * width), dtype=np.uint8)
        halves = {"Q8_0": (0,), "Q4_0": (0,), "Q4_1": (0, 2), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}[name]
        blocks = data.reshape(-1, width)
        for at in halves:  # any byte is a value, any two are no finite float16
            blocks[:, at : at + 2] = rng.uniform(-0.01, 0.01, (len(blocks), 1)).astype(np.float16).view(np.uint8)
        writer.add_tensor(f"{name.lower()}.weight", data, raw_dtype=kind)
        expected[f"{name.lower()}.weight"] = torch.from_numpy(gguf.dequantize(data, kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, folder / "expected.safetensors")


if __name__ == "__main__":
    declare_operators()
    makers = (
        make_compressed, make_gptq, make_awq, make_modelopt, make_fp8_blocks, make_gpt_oss, make_torchao, make_gguf,
    )  # fmt: skip
    for make in makers:
        make()
        print(make.__name__)
