"""Names that the TensorRT in use does not have: since when, and what takes their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from trtnet.tools.explain.api_changes import TABLE, ApiChange, find
from trtnet.tools.explain.explanation import Explanation
from trtnet.tools.explain.surfaces import MODULE, surfaces

_ERRORS = (
    re.compile(r"'(?P<owner>[\w.]+)'(?: object)? has no attribute '(?P<name>\w+)'"),
    re.compile(r"cannot import name '(?P<name>\w+)' from '(?P<owner>tensorrt\w*)"),
)
_WORD = re.compile(r"(?:trt\.)?(?:(?P<owner>\w+)\.)?(?P<name>\w+)")
_CUT = 50
"""CPython writes at most this much of a type's name into an AttributeError."""
_NO_PLUGINS = (
    "TensorRT-RTX has no plugins: write the layer in TensorRT's own, or run that part outside of the engine",
    "ops.custom: a decomposition, for which a plugin stands where the TensorRT has it",
)
_RTX_ONLY = ("only TensorRT-RTX has it: pip install 'trtnet[rtx]'", "trtnet uses it where it is there")
_DEFAULT = (
    "use a release that has it, or ask hasattr before",
    "operations take the layer where the release has it, else the same of older layers",
)


def explain_names(text: str) -> Iterator[Explanation]:
    """Of the names that AttributeErrors and ImportErrors in a text miss; or of the one name that is all of it."""
    word = _WORD.fullmatch(text.strip())
    if word:
        yield from _of_word(word["owner"] or "", word["name"])
    for error in _ERRORS:
        for match in error.finditer(text):
            found = _of_error(match["owner"], match["name"])
            if found:
                yield found


def owner_of(written: str) -> str:
    """The class that an error means, by its dotted and perhaps cut name; "" for none of TensorRT's.

    >>> owner_of("tensorrt_rtx_bindings.tensorrt_rtx.INetworkDefinit")
    'INetworkDefinition'
    """
    last = written.rpartition(".")[2]
    if last.startswith("tensorrt"):
        return MODULE
    if last in surfaces().masks:
        return last
    cut = [name for name in surfaces().masks if name.startswith(last)] if len(written) == _CUT else []
    return cut[0] if cut else ""


def nearest(owner: str, name: str, count: int = 3) -> list[str]:
    """Names of a class, or of all where the class is none of TensorRT's, that are written almost as `name`."""
    members = [(cls, member) for cls, names in surfaces().masks.items() for member in names if member]
    members += [(change.owner or MODULE, change.name) for change in TABLE]
    classes = [(MODULE, cls) for cls in surfaces().masks]
    homes = {member: cls for cls, member in reversed([*members, *classes]) if not owner or cls == owner}
    return [f"{homes[found]}.{found}" for found in get_close_matches(name, homes, count)]


def _of_error(written: str, name: str) -> Explanation | None:
    owner = owner_of(written)
    change = find(written, name)
    if change:
        return _of_change(change, owner or str(change.owner))
    return _of_name(owner, name) if owner and surfaces().having(owner, name) else None


def _of_word(owner: str, name: str) -> Iterator[Explanation]:
    """One explanation for all classes that have the name, the first of them and the removed ones above all."""
    owners = [owner] if owner else [*surfaces().owners(name), *surfaces().masks, MODULE]
    changes = {change.dotted: change for one in owners if (change := find(one, name))}
    yield from (_of_change(change, change.owner or MODULE) for change in changes.values())
    known = [one for one in owners if surfaces().having(one, name)]
    if known and not changes:
        yield _of_name(known[0], name)


def _of_change(change: ApiChange, owner: str) -> Explanation:
    cause = f"removed in TensorRT {change.removed}; {_releases(owner, change.name)}"
    return Explanation(change.dotted, cause, change.instead, change.ours)


def _of_name(owner: str, name: str) -> Explanation:
    dotted = f"{owner}.{name}"
    having = surfaces().having(owner, name)
    if len(having) == len(surfaces().releases):
        return _of_name_that_all_have(dotted, owner)
    return Explanation(dotted, _releases(owner, name), *_instead(dotted, having))


def _instead(dotted: str, having: tuple[str, ...]) -> tuple[str, str]:
    in_rtx = [release.startswith("TensorRT-RTX") for release in having]
    if all(in_rtx):
        return _RTX_ONLY
    return _NO_PLUGINS if re.search("plugin", dotted, re.IGNORECASE) and not any(in_rtx) else _DEFAULT


def _of_name_that_all_have(dotted: str, owner: str) -> Explanation:
    if owner == MODULE:
        cause = (
            "every release has it, so what was imported is no TensorRT: a file or folder of that name, or a remainder"
        )
        return Explanation(
            dotted, cause, "look at print(tensorrt.__file__), and install TensorRT again", "trtnet doctor"
        )
    cause = (
        f"every release from {surfaces().releases[0]} on has it: the TensorRT in use is older, or the object another"
    )
    return Explanation(dotted, cause, "look at tensorrt.__version__ and install a newer one", "trtnet doctor")


def _releases(owner: str, name: str) -> str:
    """Which have a name and which not; not all have it."""
    everyone = surfaces().releases
    having = surfaces().having(owner, name)
    if not having:
        return f"none of {_together(everyone)} has it"
    lacking = tuple(release for release in everyone if release not in having)
    return f"in {_together(having)}; not in {_together(lacking)}"


def _together(releases: tuple[str, ...]) -> str:
    """``TensorRT 10.13, 10.16 and TensorRT-RTX 1.4``."""
    products: dict[str, list[str]] = {}
    for release in releases:
        product, _, number = release.rpartition(" ")
        products.setdefault(product, []).append(number)
    return " and ".join(f"{product} {', '.join(numbers)}" for product, numbers in products.items())
