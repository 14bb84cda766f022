"""What an engine's sidecar says that was asked of it, to be held against what the engine does."""

from __future__ import annotations

from dataclasses import dataclass

from trtnet.builder.plan import PlanInfo
from trtnet.checkpoint.quantized.scheme import operand_dtypes
from trtnet.graph.quantized import ACTIVATION_IN, ATTENTION_IN, CACHE_IN, attention_name


@dataclass(frozen=True)
class Asked:
    """What was asked of the product of one weight, or of both products of an attention.

    key: the weight's in the checkpoint, of an attention the module's path. module: its path. words: the scheme.
    weights, inputs: dtypes of the operands that were asked for; inputs is "" for floats, weights for an attention.
    quantizes: whether the network quantizes the inputs; it cannot with scales that are measured for each token.
    """

    key: str
    module: str
    words: str
    weights: str
    inputs: str = ""

    def label(self, *, several: bool) -> str:
        """What an audit calls it. several: whether its module has several quantized weights."""
        if not self.weights:
            return attention_name(self.module)
        return self.key if several else self.module

    @property
    def quantizes(self) -> bool:
        return bool(self.inputs) and "(measured)" not in self.words


def quantized(info: PlanInfo) -> tuple[Asked, ...]:
    """Of each quantized weight, and of each quantized attention."""
    return tuple(
        Asked(key, key, words, "", words.removeprefix(ATTENTION_IN))
        if words.startswith(ATTENTION_IN)
        else Asked(key, key.rpartition(".")[0], words, *operand_dtypes(words))
        for key, words in info.quantization.items()
        if not words.startswith((CACHE_IN, *ACTIVATION_IN))
    )


def floats(info: PlanInfo, module: str) -> str:
    """The dtype of a module, which the longest path that it is in decides; "" where nothing was asked."""
    paths = [path for path in info.dtypes if not path or module == path or module.startswith(f"{path}.")]
    return info.dtypes[max(paths, key=len)] if paths else info.dtype
