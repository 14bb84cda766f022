"""The scales of operands of sums, concatenations and norms, which a checkpoint has beside its weights.

compressed-tensors has ``input_scale`` in a module with quantized inputs, and in its configuration a group without
weights that names such modules. A sum and a concatenation are no modules in most models, so they have the name of their
module and "add" or "cat", as torch.fx names them; the others of a module have a number: ``layer1.0.add.input_scale``,
``layer1.0.cat_1.input_scale``.
"""

from __future__ import annotations

from dataclasses import replace

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.quantized.configuration import Configuration
from trtnet.checkpoint.quantized.groups import groups_of
from trtnet.checkpoint.quantized.parts import Parts
from trtnet.graph.quantized import QuantizedActivation
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError

SCALE = "input_scale"
_DTYPES = ("int8", "float8_e4m3fn")


def scale_key(name: str) -> str:
    """The key of the scale of an operation's operands."""
    return f"{name}.{SCALE}".lstrip(".")


def activations_of(checkpoint: Checkpoint, config: Configuration) -> dict[str, QuantizedActivation]:
    """What operands are quantized to, by the names of the operations: of groups without weights, those with a scale.

    Raises CheckpointError for a scale that is not above 0, and for another dtype than int8 or float8_e4m3fn.
    """
    found = {}
    said = config.document.get("config_groups")
    groups = said if isinstance(said, dict) else {}
    bare = {name: each for name, each in groups.items() if isinstance(each, dict) and not each.get("weights")}
    for group in groups_of(replace(config, document={"config_groups": bare})):
        there = [name for name in group.targets if scale_key(name) in checkpoint]
        if not there or not group.inputs or group.dynamic:
            continue
        if group.inputs not in _DTYPES or group.offset:
            kind = f"{group.inputs}{', with zero points' * group.offset}"
            known = " or ".join(_DTYPES)
            raise CheckpointError(
                f"{config.where}: operands of {there[0]} are in {kind}; trtnet reads those in {known}"
            )
        for name in there:
            scale = Parts(checkpoint, f"{name}.".lstrip(".")).above_0(SCALE)
            found[name] = QuantizedActivation(dtypes.get(group.inputs), scale)
    return found
