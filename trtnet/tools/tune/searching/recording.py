"""The file of a search, written after each contest, so that another search goes on where one ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trtnet.definition import DefinedNetwork
from trtnet.ops.formulations import FORMS
from trtnet.ops.formulations.tuning import Tuning
from trtnet.support.errors import InputError
from trtnet.tools.tune.searching.contests import NO_TIME, WHOLE, Contest, Group, Measured, Measurer, Outcome
from trtnet.tools.tune.searching.whole import Found

SAME = (
    "model", "gpu", "compute_capability", "backend", "backend_version", "trtnet_version", "inputs", "dims", "dtype",
)  # fmt: skip
"""What must be the same for times to be of use."""


def check_same(before: Tuning, now: Tuning, file: str) -> None:
    """Raises InputError for a file of another model, machine or version."""
    for name in SAME:
        was, is_now = getattr(before, name), getattr(now, name)
        if was != is_now:
            raise InputError(f"--resume: {file} has the {name} {was}, this is {is_now}: tune into another file")


class Recorded:
    """A measurer that knows what was measured before, and hands on what is new. record: called after each contest."""

    def __init__(
        self,
        measurer: Measurer,
        known: Sequence[Mapping[str, Any]],
        record: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> None:
        self._measurer, self._record = measurer, record
        self.contests = list(known)
        self._known = dict(map(read, known))

    def measure(self, contests: Sequence[Contest]) -> Iterator[tuple[Contest, Outcome]]:
        """Contests of which some variants had no time are measured again."""
        new = [contest for contest in contests if contest not in self._known]
        yield from ((contest, self._known[contest]) for contest in contests if contest in self._known)
        for contest, outcome in self._measurer.measure(new):
            if not any(each.failed == NO_TIME for each in outcome):
                self._known[contest] = outcome
                self.contests.append(written(contest, outcome))
                self._record(self.contests)
            yield contest, outcome


def written(contest: Contest, outcome: Outcome) -> dict[str, Any]:
    """A contest for the file."""
    variants = [
        {"forms": dict(variant), "milliseconds": list(each.times), "error": each.error, "failed": each.failed}
        for variant, each in zip(contest.variants, outcome, strict=True)
    ]
    return {"where": contest.where, "variants": variants}


def read(document: Mapping[str, Any]) -> tuple[Contest, Outcome]:
    """The inverse of :func:`written`."""
    variants = document["variants"]
    contest = Contest(document["where"], tuple(tuple(each["forms"].items()) for each in variants))
    measured = (Measured(tuple(each["milliseconds"]), float(each["error"]), each["failed"]) for each in variants)
    return contest, tuple(measured)


def concluded(
    tuning: Tuning, groups: Sequence[Group], neutral: DefinedNetwork, tuned: DefinedNetwork, found: Found
) -> Tuning:
    """With what was found. neutral, tuned: the networks with neutral forms and with those that won."""
    forms: dict[str, dict[str, str]] = {}
    for path, kinds in tuned.forms.chosen.items():
        for kind, form in kinds.items():
            forms.setdefault(kind, {})[path] = form
    return replace(
        tuning,
        groups=tuple(_described(group, neutral, _chosen(group, tuning, found)) for group in groups),
        milliseconds=_both(found, lambda measured: measured.milliseconds),
        errors=_both(found, lambda measured: measured.error),
        unfinished=found.unfinished,
        forms=forms,
    )


def _both(found: Found, number: Callable[[Measured], float]) -> dict[str, float] | None:
    if found.neutral is None or found.tuned is None:
        return None
    return {"neutral": number(found.neutral), "tuned": number(found.tuned)}


def _chosen(group: Group, tuning: Tuning, found: Found) -> str:
    """The form that a group got; "" if it was not measured."""
    places = {each["where"] for each in tuning.contests}
    measured = group.name in places or (not group.part and WHOLE in places)
    return dict(found.variant).get(group.name, FORMS[group.kind][0] if measured else "")


def _described(group: Group, network: DefinedNetwork, chosen: str) -> dict[str, Any]:
    facts = [each for path in group.paths for each in network.forms.facts.get((group.kind, path), ())]
    operations = [{"dtype": each.dtype, "facts": dict(each.numbers)} for each in facts]
    unique = [each for index, each in enumerate(operations) if each not in operations[:index]]
    return {
        "name": group.name, "kind": group.kind, "paths": list(group.paths), "part": list(group.part),
        "uncut": group.uncut, "operations": unique, "milliseconds": group.milliseconds, "forms": list(group.forms),
        "chosen": chosen,
    }  # fmt: skip
