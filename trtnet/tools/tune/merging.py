"""Results of many searches as rows of the table that trtnet ships."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from trtnet.ops.formulations import FORMS, check_forms
from trtnet.ops.formulations.measured import Fastest, fastest
from trtnet.ops.formulations.tuning import Tuning
from trtnet.support import dtypes
from trtnet.support.version import release

Facts = tuple[tuple[str, int], ...]
"""Numbers by name, in the order of the names."""


@dataclass(frozen=True)
class Where:
    """What operations have in common that rows are made of together."""

    backend: str
    version: str
    compute_capability: str
    kind: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.dtype} with {self.backend} {self.version} on {self.compute_capability}"


@dataclass(frozen=True)
class Point:
    """An operation for which a form won. origin: the GPU, the version and the day."""

    facts: Facts
    form: str
    origin: tuple[str, str, str]


@dataclass(frozen=True)
class Merged:
    """The rows, the new ones first, and what the results do not agree on, in words."""

    rows: tuple[Fastest, ...]
    added: int
    conflicts: tuple[str, ...]


def merge(tunings: Iterable[Tuning], rows: Sequence[Fastest]) -> Merged:
    """A table with the forms that won in searches.

    Operations for which one form won are ranges of facts that hold no operation for which another one did. Where
    searches do not agree on one and the same operation, it gets the neutral form. The neutral form has a row only
    where another row would say something else.
    Raises ModelError for a search that did not end, and for a kind or form that this trtnet does not have.
    """
    points: dict[Where, list[Point]] = {}
    for tuning in tunings:
        tuning.check_ended()
        for where, point in points_of(tuning):
            check_forms({where.kind: point.form}, f"the tuning of {tuning.model}", approximations=True)
            points.setdefault(where, []).append(point)
    added, conflicts = [], []
    for where, given in points.items():
        agreed, disputed = settled(given, FORMS[where.kind][0])
        conflicts += [f"{where}, {dict(facts)}: {' and '.join(forms)}" for facts, forms in disputed]
        added += [row for row in rows_of(where, agreed) if row not in rows and _is_needed(row, rows, agreed)]
    return Merged((*added, *rows), len(added), tuple(conflicts))


def points_of(tuning: Tuning) -> Iterator[tuple[Where, Point]]:
    """The operations of a search whose form was decided."""
    minor = ".".join(tuning.backend_version.split(".")[:2])
    origin = tuning.gpu, tuning.backend_version, tuning.date
    for group in tuning.groups:
        for operation in group["operations"] if group["chosen"] else ():
            facts = tuple(sorted(operation["facts"].items()))
            where = Where(tuning.backend, minor, tuning.compute_capability, group["kind"], operation["dtype"])
            yield where, Point(facts, group["chosen"], origin)


def settled(points: Sequence[Point], neutral: str) -> tuple[list[Point], list[tuple[Facts, tuple[str, ...]]]]:
    """(one point an operation, those that several forms won for)."""
    together: dict[Facts, list[Point]] = {}
    for point in points:
        together.setdefault(point.facts, []).append(point)
    agreed, disputed = [], []
    for facts, same in together.items():
        forms = tuple(dict.fromkeys(point.form for point in same))
        if len(forms) > 1:
            disputed.append((facts, forms))
        agreed.append(same[-1] if len(forms) == 1 else Point(facts, neutral, same[-1].origin))
    return agreed, disputed


def rows_of(where: Where, points: Sequence[Point]) -> Iterator[Fastest]:
    """Rows that say of each point what it says, and of no other point anything else."""
    for form in dict.fromkeys(point.form for point in points):
        others = [dict(point.facts) for point in points if point.form != form]
        boxes: list[list[Point]] = []
        for point in sorted((p for p in points if p.form == form), key=lambda p: p.facts):
            hulls = ((box, _hull([*box, point])) for box in boxes)
            box = next((box for box, hull in hulls if not any(_inside(other, hull) for other in others)), None)
            if box is None:
                boxes.append([point])
            else:
                box.append(point)
        for box in boxes:
            yield _row(where, form, box)


def _row(where: Where, form: str, points: Sequence[Point]) -> Fastest:
    hull = _hull(points)
    gpu, version, date = max((point.origin for point in points), key=lambda origin: origin[2])
    major, minor = release(where.version)
    return Fastest(
        kind=where.kind,
        form=form,
        backend=where.backend,
        versions=(where.version, f"{major}.{minor + 1}"),
        compute_capability=where.compute_capability,
        dtypes=(where.dtype,) if where.dtype else (),
        least={name: low for name, (low, _) in hull.items()},
        most={name: high for name, (_, high) in hull.items()},
        gpu=gpu,
        measured_with=version,
        date=date,
    )


def _hull(points: Sequence[Point]) -> dict[str, tuple[int, int]]:
    """The least and most of each number."""
    numbers: dict[str, list[int]] = {}
    for point in points:
        for name, value in point.facts:
            numbers.setdefault(name, []).append(value)
    return {name: (min(values), max(values)) for name, values in numbers.items()}


def _inside(facts: Mapping[str, int], hull: Mapping[str, tuple[int, int]]) -> bool:
    return all(name in facts and low <= facts[name] <= high for name, (low, high) in hull.items())


def _is_needed(row: Fastest, rows: Sequence[Fastest], points: Sequence[Point]) -> bool:
    """Whether the table without it would say something else of one of its points."""
    dtype = dtypes.get(row.dtypes[0]) if row.dtypes else None

    def said(facts: Mapping[str, int]) -> str:
        found = fastest(row.kind, row.backend, row.measured_with, lambda: (row.compute_capability,), dtype, facts, rows)
        return found or FORMS[row.kind][0]

    own = [dict(point.facts) for point in points if point.form == row.form]
    name = "" if dtype is None else dtype.name
    return any(row.holds(name, facts) and said(facts) != row.form for facts in own)
