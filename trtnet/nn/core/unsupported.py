"""What torch.nn has and trtnet.nn does not, and why."""

from __future__ import annotations

_LOSSES = (
    "BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss HingeEmbeddingLoss"
    " HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss MSELoss MarginRankingLoss MultiLabelMarginLoss"
    " MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d PoissonNLLLoss SmoothL1Loss SoftMarginLoss"
    " TripletMarginLoss TripletMarginWithDistanceLoss AdaptiveLogSoftmaxWithLoss"
)
_LOSS = "a loss belongs to training; if a network must give it, write it with trtnet.ops"
_LAZY = [f"{kind}{n}d" for kind in ("BatchNorm", "Conv", "ConvTranspose", "InstanceNorm") for n in (1, 2, 3)] + [
    "Linear"
]
_RANDOM = "its windows are random, in eval() as well; use nn.AdaptiveMaxPool"

REFUSED: dict[str, str] = {
    **dict.fromkeys(_LOSSES.split(), _LOSS),
    **{f"Lazy{name}": f"give the size that it would take from its input to nn.{name}" for name in _LAZY},
    **dict.fromkeys(("FractionalMaxPool2d", "FractionalMaxPool3d"), _RANDOM),
    "CrossMapLRN2d": "use nn.LocalResponseNorm, which is the same function",
    "Container": "use nn.Module, whose attributes are its members",
    "DataParallel": "an engine runs on one device; define the module inside it",
    "RNNBase": "use nn.RNN, nn.LSTM or nn.GRU",
    "RNNCellBase": "use nn.RNNCell, nn.LSTMCell or nn.GRUCell",
}
