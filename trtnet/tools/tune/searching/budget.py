"""How long a search may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Budget:
    """Seconds, counted from when it is made. seconds: None for as long as it takes. clock: what tells the time."""

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock = seconds, clock
        self._began = clock()

    @property
    def spent(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._began

    def left(self) -> float:
        """Seconds that are left; infinite without a limit."""
        return math.inf if self.seconds is None else self.seconds - self.spent
