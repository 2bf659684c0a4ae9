import itertools

import pytest

from trpo_repro.report.claims.verdict import (
    Count,
    Finding,
    Judgement,
    Verdict,
    at_least,
    at_most,
    combined,
    listed,
    sentence,
    within,
)
from trpo_repro.report.statistics import Interval

MET, NOT_MET, OPEN = Judgement.MET, Judgement.NOT_MET, Judgement.OPEN
TOO_SMALL, MISSING = Judgement.TOO_SMALL, Judgement.MISSING


@pytest.mark.parametrize(
    ("ends", "least", "most"),
    [
        ((1.0, 2.0), MET, NOT_MET),
        ((-2.0, -1.0), NOT_MET, MET),
        ((-1.0, 1.0), OPEN, OPEN),
        ((0.0, 1.0), MET, OPEN),  # the threshold itself is on the claim's side
        ((-1.0, 0.0), OPEN, MET),
    ],
)
def test_an_interval_decides_only_where_all_of_it_is_on_one_side(
    ends: tuple[float, float], least: Judgement, most: Judgement
) -> None:
    assert at_least(Interval(*ends), 0.0) == least
    assert at_most(Interval(*ends), 0.0) == most


def test_without_an_interval_nothing_is_decided() -> None:
    assert at_least(None, 0.0) == at_most(None, 0.0) == within(None, (0.0, 1.0)) == OPEN


def test_within_needs_the_whole_interval_and_is_not_met_where_none_of_it_is_inside() -> None:
    assert within(Interval(0.9, 1.1), (0.8, 1.25)) == MET
    assert within(Interval(0.7, 1.1), (0.8, 1.25)) == OPEN
    assert within(Interval(0.7, 1.3), (0.8, 1.25)) == OPEN
    assert within(Interval(0.5, 0.7), (0.8, 1.25)) == NOT_MET
    assert within(Interval(1.3, 1.7), (0.8, 1.25)) == NOT_MET


def test_the_verdict_on_every_mixture_of_judgements() -> None:
    for size in range(1, 6):
        for chosen in itertools.combinations(Judgement, size):
            if MISSING in chosen:
                wanted = Verdict.PENDING
            elif TOO_SMALL in chosen:
                wanted = Verdict.UNTESTED
            elif set(chosen) == {OPEN}:
                wanted = Verdict.OPEN
            elif MET in chosen:
                wanted = Verdict.HOLDS if set(chosen) == {MET} else Verdict.IN_PART
            else:
                wanted = Verdict.FAILS
            assert combined([*chosen, *chosen]) == wanted


def test_the_sentence_names_what_is_not_met_not_decided_and_missing() -> None:
    counts = (
        Count("hopper, CEM", NOT_MET, 0.9),
        Count("hopper, CMA-ES", MISSING),
        Count("walker", MET, 0.2),
        Count("swimmer", OPEN, 0.5),
    )
    assert sentence(Finding("A rule.", counts, "A remark.")) == (
        "Met on 1 of 4 counts (walker). Not met: hopper (CEM). Not decided by so few runs: swimmer."
        " Not run yet: hopper (CMA-ES). A remark."
    )
    assert sentence(Finding("A rule.", counts[2:3])) == "Met."
    assert listed(["a, b", "a, c", "d", "a, b"]) == "a (b, c); d"
