"""A detector of torchvision as one engine, from an image to boxes: `python detect.py`, on a GPU with `--engine`.

It needs torchvision. It prints:

    50 boxes (50, 4), the best of score ...
"""

import sys

import torch
from torchvision.models import detection
from torchvision.ops import clip_boxes_to_image

import trtnet
from trtnet import nn, ops


class Dense(torch.nn.Module):
    """torchvision's part: image [1, 3, h, w] -> of each level all scores [n, classes] and boxes [n, 4]."""

    def __init__(self, model: detection.RetinaNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        image, size = self.model.transform.normalize(image), image.shape[-2:]
        features = list(self.model.backbone(image).values())
        heads = self.model.head(features)
        anchors = self.model.anchor_generator(detection.image_list.ImageList(image, [size]), features)[0]
        boxes = clip_boxes_to_image(self.model.box_coder.decode_single(heads["bbox_regression"][0], anchors), size)
        levels = [9 * x.shape[-2] * x.shape[-1] for x in features]  # 9 anchors at each place
        return heads["cls_logits"][0].sigmoid().split(levels), boxes.split(levels)


class Detector(nn.Module):
    """image [1, 3, h, w] of numbers from 0 to 1 -> 50 boxes by their scores, of which the first `count` are right."""

    def __init__(self, model: detection.RetinaNet) -> None:
        self.dense = trtnet.TorchModule(Dense(model).eval())
        self.candidates, self.least, self.overlap = model.topk_candidates, model.score_thresh, model.nms_thresh

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        levels = []
        for scores, boxes in zip(*self.dense(image), strict=True):
            anchors, classes = scores.shape
            best, place = ops.topk(scores.flatten(), min(self.candidates, anchors * classes))
            levels.append((boxes[place // classes], ops.where(best > self.least, best, float("-inf")), place % classes))
        boxes, scores, labels = map(ops.cat, zip(*levels, strict=True))
        kept, count = ops.batched_nms(boxes, scores, labels, self.overlap, 50)
        kept = ops.clamp(kept, min=0)  # it is -1 after the last
        return {"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept], "count": count}


if __name__ == "__main__":
    torch.manual_seed(0)  # weights="DEFAULT" would be the published ones
    model = detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, score_thresh=0.001).eval()
    network = trtnet.define(Detector(model), {"image": trtnet.Input((1, 3, 192, 256))})
    run = network.build() if "--engine" in sys.argv else network.reference()
    found = run(torch.rand(1, 3, 192, 256).numpy())
    print(f"{found['count']} boxes {found['boxes'].shape}, the best of score {found['scores'][0]:.3f}")
