"""Conversion rules: what turns the keys and tensors of one family of checkpoints into those of another, as data."""

from trtnet.checkpoint.rules.ruleset import RuleSet, parse, read

__all__ = ["RuleSet", "parse", "read"]
