"""What GPUs can do at most, by their product's data sheet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peaks:
    """The speeds that no program exceeds. source: where the numbers are from.

    flops: operations a second by dtype, dense products on tensor cores ("tf32": float32 operands rounded to
    TensorFloat-32; "float32": without tensor cores). bandwidth: bytes a second of device memory.
    """

    source: str
    bandwidth: float
    flops: dict[str, float]

    def of(self, dtype: str) -> float | None:
        """Operations a second of a dtype's products; None if it is not known."""
        same = {"bfloat16": "float16", "float8_e5m2": "float8_e4m3fn"}
        return self.flops.get(dtype, self.flops.get(same.get(dtype, "")))


def _peaks(source: str, gigabytes: float, **teraflops: float) -> Peaks:
    names = {"fp8": "float8_e4m3fn", "half": "float16", "single": "float32"}
    return Peaks(source, gigabytes * 1e9, {names.get(name, name): 1e12 * value for name, value in teraflops.items()})


_H100_SXM = {"single": 66.9, "tf32": 494.7, "half": 989.4, "int8": 1978.9, "fp8": 1978.9}
_A100 = {"single": 19.5, "tf32": 156.0, "half": 312.0, "int8": 624.0}
_ADA = "NVIDIA Ada GPU architecture white paper"
_AMPERE = "NVIDIA Ampere GA102 GPU architecture white paper"
_BLACKWELL = "NVIDIA RTX Blackwell GPU architecture white paper"

# Data sheets that print speeds with sparsity are halved. GeForce: products that add up in float16, the faster ones.
GPUS: dict[str, Peaks] = {
    "NVIDIA B200": _peaks(
        "NVIDIA HGX B200 data sheet, one of eight", 7700, single=75, tf32=1125, half=2250, int8=4500, fp8=4500
    ),
    "NVIDIA H200": _peaks("NVIDIA H200 data sheet (SXM)", 4800, **_H100_SXM),
    "NVIDIA H100 80GB HBM3": _peaks("NVIDIA H100 data sheet (SXM)", 3350, **_H100_SXM),
    "NVIDIA H100 PCIe": _peaks(
        "NVIDIA H100 data sheet (PCIe)", 2000, single=51, tf32=378, half=756, int8=1513, fp8=1513
    ),
    "NVIDIA H100 NVL": _peaks(
        "NVIDIA H100 NVL data sheet", 3900, single=60, tf32=417.5, half=835.5, int8=1670.5, fp8=1670.5
    ),
    "NVIDIA A100-SXM4-40GB": _peaks("NVIDIA A100 data sheet", 1555, **_A100),
    "NVIDIA A100-PCIE-40GB": _peaks("NVIDIA A100 data sheet", 1555, **_A100),
    "NVIDIA A100-SXM4-80GB": _peaks("NVIDIA A100 data sheet", 2039, **_A100),
    "NVIDIA A100 80GB PCIe": _peaks("NVIDIA A100 data sheet", 1935, **_A100),
    "NVIDIA A10": _peaks("NVIDIA A10 data sheet", 600, single=31.2, tf32=62.5, half=125, int8=250),
    "NVIDIA L4": _peaks("NVIDIA L4 data sheet", 300, single=30.3, tf32=60, half=121, int8=242.5, fp8=242.5),
    "NVIDIA L40": _peaks("NVIDIA L40 data sheet", 864, single=90.5, tf32=90.5, half=181, int8=362, fp8=362),
    "NVIDIA L40S": _peaks("NVIDIA L40S data sheet", 864, single=91.6, tf32=183, half=362, int8=733, fp8=733),
    "Tesla T4": _peaks("NVIDIA T4 data sheet", 320, single=8.1, half=65, int8=130),
    "NVIDIA GeForce RTX 3090": _peaks(_AMPERE, 936, single=35.6, tf32=35.6, half=142, int8=284),
    "NVIDIA GeForce RTX 4080": _peaks(_ADA, 716.8, single=48.7, tf32=48.7, half=194.9, int8=389.9, fp8=389.9),
    "NVIDIA GeForce RTX 4090": _peaks(_ADA, 1008, single=82.6, tf32=82.6, half=330.3, int8=660.6, fp8=660.6),
    "NVIDIA GeForce RTX 5090": _peaks(_BLACKWELL, 1792, single=104.8, tf32=104.8, half=419, int8=838, fp8=838),
}
"""By the name that the driver gives a GPU."""
