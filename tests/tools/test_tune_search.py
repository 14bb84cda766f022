"""The search for forms, on a GPU made of numbers and a clock that is told the time."""

from __future__ import annotations

import math
from typing import Any

import pytest
from helpers.tools.tuning import Clock, Gpu, group

from trtnet.tools.tune.searching.budget import Budget
from trtnet.tools.tune.searching.contests import NEUTRAL, NO_TIME, WHOLE, Contest, Measured, judge
from trtnet.tools.tune.searching.recording import Recorded, read, written
from trtnet.tools.tune.searching.search import search
from trtnet.tools.tune.searching.whole import Found

STEM, GELU, ATTENTION = (
    group("stem:conv1", 5, "blocks"),
    group("gelu:mlp.0", 3, "wide", "polynomial"),
    group("attention:a", 2, "products"),
)
GROUPS = [ATTENTION, GELU, STEM]


def run(gpu: Gpu, groups: Any = GROUPS, seconds: float | None = None, width: int = 1) -> Found:
    gpu.until = math.inf if seconds is None else gpu.clock.now + seconds
    return search(groups, gpu, Budget(seconds, gpu.clock), width)


def places(gpu: Gpu) -> list[str]:
    return [contest.where for contest in gpu.asked]


def test_the_faster_forms_win_and_groups_come_in_the_order_of_their_time() -> None:
    gpu = Gpu(gains={("stem:conv1", "blocks"): 0.3, ("gelu:mlp.0", "polynomial"): 0.2, ("gelu:mlp.0", "wide"): 0.1})
    found = run(gpu)
    assert found.variant == (("stem:conv1", "blocks"), ("gelu:mlp.0", "polynomial"))
    assert places(gpu)[:3] == ["stem:conv1", "gelu:mlp.0", "attention:a"]
    assert found.neutral is not None and found.tuned is not None
    assert (found.neutral.milliseconds, found.tuned.milliseconds) == (10, 9.5)
    assert found.unfinished == ""


def test_a_tie_is_not_faster() -> None:
    found = run(Gpu())
    assert found.variant == NEUTRAL and found.neutral == found.tuned and found.unfinished == ""


@pytest.mark.parametrize("seed", range(20))
def test_only_noise_changes_nothing_in_the_whole_network(seed: int) -> None:
    assert run(Gpu(noise=0.02, seed=seed)).variant == NEUTRAL


@pytest.mark.parametrize("seed", range(20))
def test_a_gain_is_found_in_noise_and_drift_that_is_larger_than_it(seed: int) -> None:
    gains = {("stem:conv1", "blocks"): 0.1, ("gelu:mlp.0", "wide"): 0.1}
    gpu = Gpu(gains=gains, whole_gains=dict.fromkeys(gains, 0.4), noise=0.01, seed=seed)
    assert run(gpu).variant == tuple(gains)


def test_a_form_that_is_faster_and_less_accurate_is_not_taken() -> None:
    wide, polynomial = ("gelu:mlp.0", "wide"), ("gelu:mlp.0", "polynomial")
    gpu = Gpu(gains={wide: 0.1, polynomial: 0.5}, errors={polynomial: 1.51, wide: 1.49})
    assert run(gpu).variant == (wide,)


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_an_error_that_is_not_a_number_is_too_large(error: float) -> None:
    verdict = judge(Measured((1.0, 1.0), error), Measured((2.0, 2.0), 1e-3))
    assert not verdict.is_accurate and not verdict.is_faster and "more than 1.5 times" in verdict.why
    assert not judge(Measured((1.0, 1.0), error), Measured((2.0, 2.0), error)).is_accurate


def test_errors_that_add_up_are_too_large_together() -> None:
    pairs = ("stem:conv1", "blocks"), ("gelu:mlp.0", "wide"), ("attention:a", "products")
    gpu = Gpu(
        gains=dict(zip(pairs, (0.4, 0.2, 0.2), strict=True)), errors=dict(zip(pairs, (1.1, 1.4, 1.05), strict=True))
    )
    assert run(gpu).variant == (pairs[0], pairs[2])


def test_a_form_that_does_not_build_is_left_out() -> None:
    wide = "gelu:mlp.0", "wide"
    gpu = Gpu(gains={wide: 0.5, ("gelu:mlp.0", "polynomial"): 0.1}, broken={wide: "no kernel"})
    assert run(gpu).variant == (("gelu:mlp.0", "polynomial"),)


def test_forms_that_do_not_go_together_leave_the_faster_one_and_what_helps_besides() -> None:
    trio = group("pointwise:a", 3, "x"), group("split_k:a", 3, "y"), group("silu:a", 3, "z")
    gains = {("pointwise:a", "x"): 0.3, ("split_k:a", "y"): 0.2, ("silu:a", "z"): 0.1}

    class Rivals(Gpu):
        def _measured(self, where: str, variant: Any, drift: Any) -> Measured:
            both = {"pointwise:a", "split_k:a"} <= {name for name, _ in variant}
            return Measured(failed="it is None there") if both else super()._measured(where, variant, drift)

    rivals = Rivals(gains=gains, errors={("pointwise:a", "x"): 1.1})
    assert run(rivals, trio).variant == (("pointwise:a", "x"), ("silu:a", "z"))


def test_what_breaks_in_the_whole_network_only_is_left_out() -> None:
    class Breaks(Gpu):
        def _measured(self, where: str, variant: Any, drift: Any) -> Measured:
            fails = where == WHOLE and ("stem:conv1", "blocks") in variant
            return Measured(failed="no kernel") if fails else super()._measured(where, variant, drift)

    gpu = Breaks(gains={("stem:conv1", "blocks"): 0.3, ("gelu:mlp.0", "wide"): 0.2})
    assert run(gpu).variant == (("gelu:mlp.0", "wide"),)


def test_the_whole_network_decides_and_drops_what_does_not_help() -> None:
    stem, wide = ("stem:conv1", "blocks"), ("gelu:mlp.0", "wide")
    gpu = Gpu(gains={stem: 0.3, wide: 0.3}, whole_gains={wide: 0.0})
    assert run(gpu).variant == (stem,)
    gpu = Gpu(gains={stem: 0.3, wide: 0.3}, whole_gains={stem: -0.5, wide: 0.0})
    assert run(gpu).variant == NEUTRAL


def test_the_second_form_of_a_small_network_may_be_the_first_of_the_whole() -> None:
    wide, polynomial = ("gelu:mlp.0", "wide"), ("gelu:mlp.0", "polynomial")
    gpu = Gpu(gains={wide: 0.3, polynomial: 0.2}, whole_gains={wide: 0.1, polynomial: 0.9})
    assert run(gpu).variant == (polynomial,)


def test_groups_of_one_kind_are_taken_out_together() -> None:
    many = [group(f"row:{i}", 1, "sum") for i in range(5)]
    gpu = Gpu(gains={(each.name, "sum"): 0.2 for each in many})
    assert len(run(gpu, many, width=100).variant) == 5
    assert len(gpu.asked[5].variants) == 2  # after the small networks: neutral forms, and all five


def test_a_group_that_loses_what_others_of_its_kind_gain_is_taken_out_alone() -> None:
    many = [group(f"row:{i}", 1, "sum") for i in range(5)]
    gains = {(each.name, "sum"): 0.3 for each in many}
    gpu = Gpu(gains=gains, whole_gains=gains | {("row:2", "sum"): -0.2})
    assert [name for name, _ in run(gpu, many).variant] == ["row:0", "row:1", "row:3", "row:4"]


def test_a_group_gets_its_second_form_alone() -> None:
    many = [group(f"row:{i}", 1, "sum", "padded") for i in range(3)]
    small = {(each.name, form): gain for each in many for form, gain in (("sum", 0.3), ("padded", 0.2))}
    gpu = Gpu(gains=small, whole_gains=small | {("row:1", "padded"): 0.9, ("row:0", "padded"): -2.0})
    assert run(gpu, many).variant == (("row:0", "sum"), ("row:1", "padded"), ("row:2", "sum"))


def test_a_group_whose_kind_does_not_help_gets_its_form_alone() -> None:
    many = [group(f"row:{i}", 1, "sum") for i in range(3)]
    gains = {(each.name, "sum"): 0.3 for each in many}
    whole = dict(zip(gains, (-0.4, 0.3, -0.1), strict=True))
    assert run(Gpu(gains=gains, whole_gains=whole), many).variant == (("row:1", "sum"),)


def test_a_form_that_loses_in_small_networks_is_tried_for_its_kind_in_the_whole_one() -> None:
    many = [group(f"pooling:{i}", 1, "slices", "separable") for i in range(5)]
    small = {(each.name, form): -2.0 for each in many for form in each.forms}
    whole = {(each.name, form): 0.3 if form == "separable" else 0.1 for each in many for form in each.forms}
    gpu = Gpu(gains=small, whole_gains=whole | {("pooling:3", "separable"): -0.2})
    assert run(gpu, many).variant == tuple(
        (each.name, "separable" if each.name[-1] != "3" else "slices") for each in many
    )


def test_a_form_that_is_too_far_off_in_small_networks_is_not_tried_in_the_whole_one() -> None:
    pair = ("stem:conv1", "blocks")
    gpu = Gpu(gains={pair: -0.1}, whole_gains={pair: 0.5}, errors={pair: 1.6})
    assert run(gpu, [STEM]).variant == NEUTRAL and WHOLE not in places(gpu)


def test_changes_of_single_groups_that_do_not_help_together_are_left_out() -> None:
    pair = [group("row:0", 1, "sum"), group("row:1", 1, "sum")]

    class Rivals(Gpu):
        def _measured(self, where: str, variant: Any, drift: Any) -> Measured:
            helps = where != WHOLE or len(variant) == 1
            return Measured(tuple(drift) if not helps else tuple(0.9 * each for each in drift), 1e-3)

    gpu = Rivals(gains={("row:0", "sum"): 0.3, ("row:1", "sum"): 0.3})
    assert run(gpu, pair).variant == NEUTRAL


@pytest.mark.parametrize("seed", range(20))
def test_only_noise_changes_no_single_group(seed: int) -> None:
    many = [group(f"row:{i}", 1, "sum", "padded") for i in range(12)]
    gains = {(each.name, "sum"): 0.4 for each in many}
    gpu = Gpu(gains=gains, noise=0.01, seed=seed)
    assert run(gpu, many).variant == tuple(gains)


def test_a_group_without_a_small_network_is_tried_in_the_whole_one() -> None:
    alone = group("softmax:", 1, "float32", "polynomial", cut=False)
    gains = {("softmax:", "float32"): 0.2, ("softmax:", "polynomial"): 0.4, ("stem:conv1", "blocks"): 0.3}
    gpu = Gpu(gains=gains)
    assert run(gpu, [STEM, alone]).variant == (("stem:conv1", "blocks"), ("softmax:", "polynomial"))
    assert run(Gpu(), [alone]).variant == NEUTRAL


def test_a_small_network_that_does_not_build_leaves_the_decision_to_the_whole_one() -> None:
    class Breaks(Gpu):
        def _measured(self, where: str, variant: Any, drift: Any) -> Measured:
            return Measured(failed="refused") if where == "stem:conv1" else super()._measured(where, variant, drift)

    assert run(Breaks(gains={("stem:conv1", "blocks"): 0.3}), [STEM]).variant == (("stem:conv1", "blocks"),)


def test_without_time_nothing_is_measured() -> None:
    gpu = Gpu(gains={("stem:conv1", "blocks"): 0.3})
    found = run(gpu, seconds=0)
    assert found.variant == NEUTRAL and gpu.asked == []
    assert found.unfinished == "no time for 3 of 3 groups: stem:conv1, gelu:mlp.0, attention:a"


def test_the_groups_that_take_most_come_before_the_time_is_over_and_the_rest_is_for_the_whole_network() -> None:
    gpu = Gpu(gains={("stem:conv1", "blocks"): 0.3, ("attention:a", "products"): 0.3})
    found = run(gpu, seconds=8)
    assert found.variant == (("stem:conv1", "blocks"),)
    assert found.unfinished == "no time for 1 of 3 groups: attention:a; no time for all variants of the whole network"


def test_time_that_ends_in_the_whole_network_leaves_what_was_confirmed() -> None:
    gains = {("stem:conv1", "blocks"): 0.3, ("gelu:mlp.0", "wide"): 0.3}
    gpu = Gpu(gains=gains)
    found = run(gpu, [STEM, GELU], seconds=7)
    assert found.variant == tuple(gains) and "no time for all variants" in found.unfinished
    gpu = Gpu(gains=gains)
    found = run(gpu, [STEM, GELU], seconds=6)
    assert found.variant == NEUTRAL and found.unfinished == "no time for the whole network"


def test_a_search_goes_on_where_another_was_ended() -> None:
    gains = {("stem:conv1", "blocks"): 0.3, ("gelu:mlp.0", "wide"): 0.2, ("attention:a", "products"): 0.1}
    kept: list[Any] = []

    class Killed(Gpu):
        def _measured(self, where: str, variant: Any, drift: Any) -> Measured:
            if where == "attention:a":
                raise KeyboardInterrupt
            return super()._measured(where, variant, drift)

    first = Killed(gains=gains, noise=0.01)
    with pytest.raises(KeyboardInterrupt):
        search(GROUPS, Recorded(first, (), kept.extend), Budget(None, first.clock))
    second = Gpu(gains=gains)
    found = search(GROUPS, Recorded(second, kept[-2:], lambda contests: None), Budget(None, second.clock))
    assert found.variant == tuple(gains)
    assert places(second)[0] == "attention:a" and set(places(second)[1:]) == {WHOLE}


def test_what_had_no_time_is_measured_by_the_next_search() -> None:
    contest = Contest("x", (NEUTRAL, (("x", "a"),)))

    class Late:
        def measure(self, contests: Any) -> Any:
            return [(contest, (Measured((1.0,), 0.0), Measured(failed=NO_TIME)))]

    recorded = Recorded(Late(), (), lambda contests: None)
    assert len(list(recorded.measure([contest]))) == 1 and recorded.contests == []


def test_a_contest_is_read_as_it_was_written() -> None:
    contest = Contest("x", (NEUTRAL, (("x", "a"), ("y", "b"))))
    outcome = Measured((1.0, 2.5), 1e-3), Measured(failed="no kernel")
    assert read(written(contest, outcome)) == (contest, outcome)


def test_a_budget_is_counted_from_its_beginning() -> None:
    clock = Clock()
    clock.now = 5.0
    budget = Budget(10, clock)
    clock.now = 9.0
    assert (budget.spent, budget.left()) == (4, 6)
    assert Budget(None, clock).left() == math.inf


def test_a_verdict_is_of_the_ratios_of_each_round() -> None:
    drifting = [1.0, 2.0, 4.0, 8.0]
    verdict = judge(Measured(tuple(0.9 * t for t in drifting), 1e-3), Measured(tuple(drifting), 1e-3))
    assert verdict.ratio == pytest.approx(0.9) and verdict.spread == pytest.approx(0) and verdict.is_faster
    noisy = judge(Measured((0.8, 1.1, 0.9, 1.2), 1e-3), Measured((1.0, 1.0, 1.0, 1.0), 1e-3))
    assert noisy.ratio == 1.0 and not noisy.is_faster and not noisy.is_slower
