"""What to say of a name that a user took from torch and that is not here."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def missing(owner: str, name: str, names: Iterable[str], hint: str = "") -> AttributeError:
    """The error for ``owner.name``. names: what there is, of which the nearest are named unless there is a hint."""
    near = get_close_matches(name, names, n=2, cutoff=0.7)
    plain = [other for other in near if other == name.rstrip("_")]
    advice = hint or (f"did you mean {' or '.join(plain or near)}?" if near else "")
    return AttributeError(f"{owner} has no {name!r}" + (f"; {advice}" if advice else ""))
