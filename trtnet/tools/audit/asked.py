"""What an engine's sidecar says that was asked of it, to be held against what the engine does."""

from __future__ import annotations

from dataclasses import dataclass

from trtnet.builder.plan import PlanInfo
from trtnet.checkpoint.quantized.scheme import operand_dtypes


@dataclass(frozen=True)
class Asked:
    """What was asked of the product of one weight.

    key: the weight's in the checkpoint, "" for a module that is not quantized. module: its path. words: the scheme, or
    the dtype. weights, inputs: dtypes of the operands that were asked for; inputs is "" for floats. quantizes: whether
    the network quantizes the inputs; it cannot with scales that are measured at run time.
    """

    key: str
    module: str
    words: str
    weights: str
    inputs: str = ""

    @property
    def quantizes(self) -> bool:
        return bool(self.inputs) and "(measured)" not in self.words


def quantized(info: PlanInfo) -> tuple[Asked, ...]:
    """Of each quantized weight."""
    return tuple(
        Asked(key, key.rpartition(".")[0], words, *operand_dtypes(words)) for key, words in info.quantization.items()
    )


def floats(info: PlanInfo, module: str) -> str:
    """The dtype of a module, which the longest path that it is in decides; "" where nothing was asked."""
    paths = [path for path in info.dtypes if not path or module == path or module.startswith(f"{path}.")]
    return info.dtypes[max(paths, key=len)] if paths else info.dtype
