"""What to say of a name that a user took from torch and that is not here."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def missing(owner: str, name: str, names: Iterable[str], hint: str = "") -> AttributeError:
    """The error for ``owner.name``. names: what there is, of which the nearest are named unless there is a hint.

    A name with an underscore at its end, which changes a tensor in place, does not mean the one without.
    """
    there = list(names)
    in_place = name.endswith("_") and not name.startswith("_")
    plain = name.rstrip("_")
    if in_place and plain in there and not hint:
        hint = f"there is no such operation in place; x = {plain}(x) makes another tensor"
    is_pythons = name.startswith("__")  # Python asks for these itself, as copy.deepcopy does for each parameter
    near = [] if is_pythons else get_close_matches(name, there, n=2, cutoff=0.7 if len(name) > 5 else 0.8)
    near = [other for other in near if not in_place or other.endswith("_")]
    advice = hint or (f"did you mean {' or '.join(near)}?" if near else "")
    return AttributeError(f"{owner} has no {name!r}" + (f"; {advice}" if advice else ""))


def nearest(name: str, names: Iterable[str]) -> str:
    """What to say beside a name that is not among these: the nearest, or all of them."""
    there = list(names)
    return did_you_mean(name, there) or f"it has {', '.join(there)}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The nearest of these as a question; "" if none is near."""
    near = get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""
