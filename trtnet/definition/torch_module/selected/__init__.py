"""What is chosen by values, computed for all: see ``selections``, and ``packed`` for packed sequences."""

from trtnet.definition.torch_module.selected.packed import PackedSequences
from trtnet.definition.torch_module.selected.selections import Selections

__all__ = ["PackedSequences", "Selections"]
