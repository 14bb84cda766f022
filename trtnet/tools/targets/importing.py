"""Importing a published library, torchvision beside a torch that its compiled operators are not for, too."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from trtnet.support.errors import DependencyError

log = logging.getLogger("trtnet.tools")

OPERATORS = tuple(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms"))
"""What torchvision asks for while it is being imported, of its compiled operators."""
_declared: list[Any] = []


def imported(module: str, package: str) -> Any:
    """A module of a library. Raises DependencyError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DependencyError(f"{package} is not installed: pip install {package} ({error})") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _declared:
            raise DependencyError(f"{package} cannot be imported: {error}. Install the one for this torch") from error
    declare_operators()
    return imported(module, package)


def declare_operators() -> None:
    """Declares the operators that torchvision could not load: it is imported then, and models run that call none."""
    from torch import library

    torchvision: Any = library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in OPERATORS:
        torchvision.define(schema)
    _declared.append(torchvision)  # what it declared lives as long as it does
    log.warning("torchvision's compiled operators do not match this torch: models that call them do not run in torch")
