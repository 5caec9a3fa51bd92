"""The canary's decisions."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.policies.canary import CanaryRules, Figures, takes, why_revert

RULES = CanaryRules(least_runs=10, failure_margin=10, duration_margin=50)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("canary", "others", "why"),
    [
        (Figures(), Figures(), ""),
        (
            Figures(10, 5),
            Figures(100, 2),
            "5 of 10 canary runs failed (50 %), 2 of 100 others (2 %): margin 10 points",
        ),
        (Figures(10, 1), Figures(100, 0), ""),
        (Figures(10, 2), Figures(100, 10), ""),
        (Figures(20, 5), Figures(100, 10), "5 of 20 canary runs failed (25 %), 10 of 100 others (10 %)"),
        (Figures(10, 9), Figures(100, 100), ""),
        (Figures(2, 1), Figures(100, 0), ""),
        (
            Figures(2, 2),
            Figures(100, 0),
            "2 of 2 canary runs failed (100 %), 0 of 100 others (0 %), which its next 8 could not bring below 20 %",
        ),
        (Figures(10, 2), Figures(), "2 of 10 canary runs failed (20 %), and there are no others to compare with"),
        (Figures(10, 1), Figures(), ""),
        (Figures(10, 0, 3.1), Figures(100, 0, 2.0), "median duration is 3.1 s, that of the others 2 s: margin 50 %"),
        (Figures(10, 0, 3.0), Figures(100, 0, 2.0), ""),
        (Figures(9, 0, 30.0), Figures(100, 0, 2.0), ""),
        (Figures(10, 0, 30.0), Figures(), ""),
        (Figures(10, 0, 0.05), Figures(100, 0, 0.001), ""),
    ],
)
def test_when_it_reverts(canary: Figures, others: Figures, why: str) -> None:
    found = why_revert(RULES, canary, others)
    assert why in found
    assert bool(found) == bool(why)


def test_without_a_margin_a_duration_says_nothing() -> None:
    assert why_revert(CanaryRules(1, 10, None), Figures(10, 0, 100.0), Figures(10, 0, 1.0)) == ""


@given(
    st.integers(1, 30), st.integers(0, 100), st.lists(st.booleans(), max_size=40), st.integers(0, 9), st.integers(1, 9)
)
def test_it_reverts_early_only_when_successes_could_not_save_it(
    least: int, margin: int, failed: list[bool], others_failed: int, others: int
) -> None:
    which = CanaryRules(least, margin, None)
    beside = Figures(others, min(others_failed, others))
    now = Figures(len(failed), sum(failed))
    saved = Figures(max(least, now.runs), now.failed)
    limit = Fraction(beside.failed, beside.runs) + Fraction(margin, 100)
    assert bool(why_revert(which, now, beside)) == (Fraction(saved.failed, saved.runs) > limit)


@given(st.integers(1, 100), st.integers(1, 2**40), st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1)))  # noqa: DTZ001
def test_more_per_cent_take_the_same_ticks_and_more(percent: int, job: int, tick: datetime) -> None:
    assert takes(100, job, tick)
    if takes(percent, job, tick):
        assert takes(min(100, percent + 1), job, tick)


@pytest.mark.parametrize("percent", [1, 10, 50])
def test_it_takes_about_its_part(percent: int) -> None:
    taken = sum(takes(percent, 7, NOON + timedelta(minutes=minute)) for minute in range(10_000))
    assert abs(taken / 100 - percent) < 2


def test_each_job_has_its_own_ticks() -> None:
    ticks = [NOON + timedelta(minutes=minute) for minute in range(100)]
    assert [takes(50, 1, tick) for tick in ticks] != [takes(50, 2, tick) for tick in ticks]
