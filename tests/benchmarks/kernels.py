"""The kernels that a plan of TensorRT-RTX names, without a GPU: what is fused with what, and in how many blocks.

    python tests/benchmarks/kernels.py MODEL.engine [OTHER.engine]...

A plan that is built ahead of time has descriptions of its kernels as text, which is not documented and may change.
Prints each kernel that TensorRT fused, by its name (``AddSqrtDivMulCastMulReshMulSum`` is an RMS norm inside a sum of
products), with its blocks, threads and elements that a thread reads at once; then how many calls there are of each
kind, products and convolutions among them. Kernels of those are chosen when the engine is loaded, and have no name yet.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.plan_kernels import calls, fused


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("engines", nargs="+", type=Path)
    for name in options.parse_args().engines:
        text = name.read_bytes().decode("latin-1")
        kernels = fused(text)
        print(f"{name}: {len(kernels)} fused kernels")
        for kernel in kernels:
            grid, block = ("x".join(map(str, sizes)) for sizes in (kernel.grid, kernel.block))
            print(f"  {kernel.count:4} x {kernel.name}  blocks {grid}, threads {block}, reads {kernel.width}")
        print("  calls:", ", ".join(f"{kind} {count}" for kind, count in Counter(calls(text)).most_common()))


if __name__ == "__main__":
    main()
