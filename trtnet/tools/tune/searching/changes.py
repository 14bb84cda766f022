"""What a variant of the whole network may be changed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from trtnet.tools.tune.searching.contests import Group, Variant

Change = tuple[tuple[str, str], ...]
"""(group, form) of groups that get another form; "" is the neutral one."""


class Candidates:
    """The groups, those that take most first, and what small networks said of their forms.

    ranked: those that were faster than the neutral form, the fastest first. usable: all that are as accurate, likewise.
    """

    def __init__(
        self, groups: Sequence[Group], ranked: Mapping[str, Sequence[str]], usable: Mapping[str, Sequence[str]]
    ) -> None:
        self._groups = [group for group in groups if usable.get(group.name)]
        self._ranked, self._usable = ranked, usable
        self._kinds = {group.name: group.kind for group in self._groups}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def first(self) -> Variant:
        """The fastest form of each group that was timed in a small network: what others do alone is not known."""
        ranked = {group.name: self._ranked[group.name] for group in self._groups if group.part}
        return self._variant({name: forms[0] for name, forms in ranked.items() if forms})

    def changed(self, variant: Variant, changes: Iterable[Change]) -> Variant:
        """With changes, of which the last one has the last word."""
        forms = dict(variant)
        for change in changes:
            forms |= dict(change)
        return self._variant(forms)

    def removals(self, variant: Variant) -> list[Change]:
        """A kind's groups without their forms."""
        return [
            tuple((name, "") for name, _ in variant if self._kinds[name] == kind)
            for kind in dict.fromkeys(self._kinds[name] for name, _ in variant)
        ]

    def additions(self, variant: Variant) -> list[Change]:
        """A kind's groups with the form that was second in their small networks; a group that has no small network."""
        seconds = [
            tuple((name, second[0]) for name, _ in removal if (second := self._ranked[name][1:]))
            for removal in self.removals(variant)
        ]
        alone = [group.name for group in self._groups if not group.part and group.name not in dict(variant)]
        joined: list[Change] = [((name, form),) for name in alone for form in self._ranked[name]]
        return [*filter(None, seconds), *joined]

    def everywhere(self, variant: Variant) -> list[Change]:
        """A form for all groups of a kind that have the neutral one: small networks have other layouts around it.

        Kinds that take most come first.
        """
        left = [group for group in self._groups if group.part and group.name not in dict(variant)]
        times = {kind: sum(one.milliseconds for one in left if one.kind == kind) for kind in self._kinds.values()}
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for group in sorted(left, key=lambda group: -times[group.kind]):
            for form in self._usable[group.name]:
                found.setdefault((group.kind, form), []).append((group.name, form))
        return [tuple(change) for change in found.values()]

    def single(self, variant: Variant) -> list[Change]:
        """One group without its form, or with one of its two fastest that it does not have."""
        now = dict(variant)
        return [
            ((group.name, form),)
            for group in self._groups
            if group.name in now or self._ranked[group.name]
            for form in (*self._usable[group.name][:2], "")
            if form != now.get(group.name, "")
        ]

    def _variant(self, forms: Mapping[str, str]) -> Variant:
        return tuple((group.name, form) for group in self._groups if (form := forms.get(group.name)))
