"""A variant's forms as define takes them: neutral ones, but for some groups."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from glob import escape

from trtnet.definition import DefinedNetwork
from trtnet.graph.forms import FormChoice, FormChoices
from trtnet.ops.formulations import FORMS, KINDS
from trtnet.support.errors import ModelError
from trtnet.tools.tune.choices.parts import Part, is_at
from trtnet.tools.tune.searching.contests import Group, Variant

ByPath = Mapping[str, Mapping[str, str]]
"""Forms by kind, then by module path."""


class NeutralBut(FormChoices):
    """Neutral forms but for some modules, approximations among them. What decides nothing is no error.

    (Forms change what else there is to choose.) there: what modules have in the network with neutral forms, by path.
    Of a kind that a module has none of there, and gets by another form, the table decides: the attention of the one
    query that is left of many is one of the kind `decoding`. It decides kinds that are not tuned, too.
    """

    def __init__(self, forms: ByPath, there: Mapping[str, Container[str]] | None = None) -> None:
        super().__init__(
            {
                kind: {escape(path): form for path, form in forms.get(kind, {}).items()} | {"*": names[0]}
                for kind, names in FORMS.items()
                if KINDS[kind].is_tuned
            },
            approximations=True,
        )
        self._there = there

    def at(self, kind: str, path: str) -> FormChoice | None:
        """The choice for a module; None where the table decides."""
        choice = super().at(kind, path)
        is_new = self._there is not None and kind not in self._there.get(path, {})
        return None if choice is not None and choice.is_whole and is_new else choice

    def unused(self) -> list[FormChoice]:
        """None."""
        return []


def by_path(variant: Variant, groups: Sequence[Group]) -> dict[str, dict[str, str]]:
    """The forms of a variant, by kind and path."""
    known = {group.name: group for group in groups}
    forms: dict[str, dict[str, str]] = {}
    for name, form in variant:
        group = known[name]
        forms.setdefault(group.kind, {}).update(dict.fromkeys(group.paths, form))
    return forms


def within(forms: ByPath, part: Part) -> dict[str, dict[str, str]]:
    """Those of the modules of a part."""
    return {
        kind: {path: form for path, form in paths.items() if any(is_at(path, outer) for outer in part)}
        for kind, paths in forms.items()
    }


def check(network: DefinedNetwork, forms: ByPath) -> None:
    """Raises ModelError for forms that a network was given and does not have.

    That another form leaves nothing to choose there is none: a convolution that is a product has no parts of its sum.
    """
    for kind, paths in forms.items():
        for path, form in paths.items():
            got = network.forms.chosen.get(path, {}).get(kind)
            if got != form and (got is not None or len(forms) == 1):
                raise ModelError(f"the form {form!r} of {kind!r} does not apply to {path}: it is {got!r} there")
