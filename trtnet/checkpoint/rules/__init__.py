"""Conversion rules: what turns the keys and tensors of one family of checkpoints into those of another, as data."""

from trtnet.checkpoint.rules.keys import Unwrap
from trtnet.checkpoint.rules.ruleset import RuleSet, parse, read

UNWRAP = RuleSet("unwrap", (Unwrap(),), "Keys without the names of wrappers: torch.compile, data parallelism, FSDP")
"""The rules of any model that was saved inside of a wrapper; of no family."""

__all__ = ["UNWRAP", "RuleSet", "parse", "read"]
