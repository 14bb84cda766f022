"""The names that wrappers of modules put into keys: torch.compile, data parallelism, checkpointed activations."""

from __future__ import annotations

from collections.abc import Sequence

WRAPPERS = ("_orig_mod", "module", "_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module")
"""torch.compile; DistributedDataParallel and DataParallel; FSDP, now and before torch 2; activation checkpointing."""


def unwrapped(key: str, names: Sequence[str] = WRAPPERS) -> str:
    """A key without the names of wrappers, at its beginning and inside; the last part of a key is never one."""
    *path, last = key.split(".")
    return ".".join([*(part for part in path if part not in names), last])
