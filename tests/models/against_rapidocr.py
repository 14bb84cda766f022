"""PP-OCRv6 beside the files and the networks of rapidocr: `PYTHONPATH=FOLDER python tests/models/against_rapidocr.py`.

FOLDER has the packages rapidocr 3.10.0 and onnxruntime (pip install --target FOLDER --no-deps ...); PyYAML, Pillow.
Pages are drawn; the published weights run in onnxruntime and in the reference, random ones in the package's PyTorch
networks and in the reference. It prints the relative L2 of probabilities, and how many lines are read alike and right.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import originals
from helpers.comparing import relative_l2
from helpers.pages import page, pixels

import trtnet
from trtnet import models
from trtnet.models.text_lines import Box, text_lines
from trtnet.weights import pp_ocr
from trtnet.weights.packaged import PACKAGED


def line(image: Image.Image, box: Box) -> np.ndarray:
    part = image.crop(box)
    return pixels(part.resize((round(48 * part.width / part.height), 48)), 320)


def published(pages: int) -> None:
    import onnxruntime

    theirs = [onnxruntime.InferenceSession(str(path)) for path in PACKAGED["pp_ocr"].fetch()]
    find = trtnet.define(models.pp_ocr_detector(), weights=pp_ocr.detector()).reference()
    read = trtnet.define(models.pp_ocr_recognizer(), weights=pp_ocr.recognizer()).reference()
    characters, worst, alike, right, count, score = pp_ocr.characters(), 0.0, 0, 0, 0, 0.0
    for seed in range(pages):
        image, texts = page(seed)
        found, (wanted,) = find(pixels(image)), theirs[0].run(None, {"x": pixels(image)})
        worst = max(worst, relative_l2(torch.from_numpy(found), torch.from_numpy(wanted[:, 0])))
        boxes = text_lines(found[0])
        for box, text in zip(boxes, texts, strict=False):
            x = line(image, box)
            ours, (likely,) = read(x), theirs[1].run(None, {"x": x})
            ids = likely[0].argmax(-1).tolist()
            collapsed = [c for i, c in enumerate(ids) if c and (i == 0 or c != ids[i - 1])]
            mine = [int(c) for c in ours["characters"][0] if c]
            score = max(score, float(np.abs(ours["scores"] - likely.max(-1)).max()))
            alike, right, count = (
                alike + (mine == collapsed),
                right + ("".join(characters[c] for c in mine) == text),
                count + 1,
            )
        count += len(texts) - len(boxes)
    print(f"{pages} pages: probabilities {worst:.1e} relative L2, scores {score:.1e} at most")
    print(f"{alike} of {count} lines read as onnxruntime does, {right} right")


def networks() -> None:
    """The package's own networks, without its other imports."""
    spec = importlib.util.find_spec("rapidocr")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "inference_engine/pytorch/networks"
    module = types.ModuleType("rapidocr_networks")
    module.__path__ = [str(folder)]
    sys.modules[module.__name__] = module
    made = importlib.import_module("rapidocr_networks.architectures.base_model").BaseModel
    import yaml

    settings = yaml.safe_load((folder / "arch_config.yaml").read_text())
    for kind, ours, shape in (
        ("det", models.pp_ocr_detector(), (2, 3, 64, 96)), ("rec", models.pp_ocr_recognizer(), (2, 3, 48, 64)),
    ):  # fmt: skip
        torch.manual_seed(0)
        model = made(settings[f"PP-OCRv6_{kind}_small"]).eval()
        for norm in model.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.5, 1.5)
                norm.weight.data.uniform_(0.5, 1)
                norm.bias.data.normal_(0, 0.1)
        image = torch.rand(shape)
        with torch.inference_mode():
            wanted = model(image)
            found = trtnet.define(ours, weights=folded(model)).reference()(image)
        score = relative_l2(found, wanted[:, 0]) if kind == "det" else relative_l2(found["scores"], wanted.amax(-1))
        print(f"{kind}: {score:.1e} relative L2 of the package's network with random weights")


def folded(model: Any) -> dict[str, torch.Tensor]:
    """The state of a network of the package as it is deployed: parallel branches and batch norms in convolutions."""
    for module in model.modules():
        if type(module).__name__ in ("LCNetV4Block", "RepLKFPN"):
            module.rep()
    state = {key: value for key, value in model.state_dict().items() if "thresh" not in key}
    for path, module in model.named_modules():
        folds = {"ConvBNAct": (("conv", "bn"),), "Head": (("conv1", "conv_bn1"), ("conv2", "conv_bn2"))}
        for conv, norm in folds.get(type(module).__name__, ()) if "thresh" not in path else ():
            bn, layer = getattr(module, norm), getattr(module, conv)
            scale = bn.weight / (bn.running_var + bn.eps).sqrt()
            transposed = isinstance(layer, torch.nn.ConvTranspose2d)
            weight = layer.weight * (scale[:, None, None] if transposed else scale[:, None, None, None])
            bias = 0 if layer.bias is None else layer.bias
            state |= {
                f"{path}.{conv}.weight": weight,
                f"{path}.{conv}.bias": (bias - bn.running_mean) * scale + bn.bias,
            }
            state = {key: value for key, value in state.items() if not key.startswith(f"{path}.{norm}.")}
    return state


if __name__ == "__main__":
    originals.import_torchvision()
    published(int(sys.argv[1]) if sys.argv[1:] else 10)
    networks()
