"""Results as JSON can say them."""

from __future__ import annotations

import math
from typing import Any


def plain(value: Any) -> Any:
    """A result without what JSON lacks: a number that is not finite is the text inf, -inf or nan; tuples are lists."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value
