"""The circuit breaker's decisions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.policies.breaker import BreakerRules, Ended, ended_as, of_the_probe, probe_from, since, why_open


def rules(
    failures: int | None = None, percent: int | None = None, window: int = 4, exceptions: tuple[str, ...] = ()
) -> BreakerRules:
    return BreakerRules(failures, percent, window, frozenset(exceptions), timedelta(minutes=5))


def told(which: BreakerRules, outcomes: str) -> str:
    """`outcomes` in the order of the runs' ends: F for failed."""
    return why_open(which, [one == "F" for one in reversed(outcomes)])


@pytest.mark.parametrize(
    ("which", "outcomes", "why"),
    [
        (rules(3), "FF", ""),
        (rules(3), "SFFF", "3 failures in a row"),
        (rules(3), "FFFF", "3 failures in a row"),
        (rules(3), "FFFS", ""),
        (rules(3), "FFSF", ""),
        (rules(1), "F", "1 failure in a row"),
        (rules(percent=50), "FFF", ""),
        (rules(percent=50), "FSFS", "2 failures in the last 4 runs (50 %)"),
        (rules(percent=51), "FSFS", ""),
        (rules(percent=50), "FFSSS", ""),
        (rules(percent=60, window=3), "SFSF", "2 failures in the last 3 runs (66.7 %)"),
        (rules(percent=100, window=2), "FF", "2 failures in the last 2 runs (100 %)"),
        (rules(2, 50), "SSFF", "2 failures in a row"),
        (rules(9, 50), "SSFF", "2 failures in the last 4 runs (50 %)"),
        (rules(2, exceptions=("TimeoutError", "OSError")), "FF", "2 failures with OSError or TimeoutError in a row"),
        (rules(), "FFFFFFFF", ""),
    ],
)
def test_when_it_opens(which: BreakerRules, outcomes: str, why: str) -> None:
    assert told(which, outcomes) == why


@pytest.mark.parametrize("which", [rules(0), rules(percent=0), rules(percent=100, window=0)])
def test_rows_that_no_form_has_checked_are_harmless(which: BreakerRules) -> None:
    assert told(which, "SSSS") == ""
    assert told(which, "") == ""


@given(st.integers(1, 6), st.integers(1, 100), st.integers(2, 8), st.lists(st.booleans(), max_size=20))
def test_only_the_runs_within_its_reach_decide(failures: int, percent: int, window: int, failed: list[bool]) -> None:
    which = rules(failures, percent, window)
    assert why_open(which, failed) == why_open(which, failed[: which.reach])


@pytest.mark.parametrize(
    ("state", "classes", "counting", "end"),
    [
        ("succeeded", None, (), Ended.SUCCEEDED),
        ("succeeded", ["OSError"], ("OSError",), Ended.SUCCEEDED),
        ("failed", None, (), Ended.FAILED),
        ("failed", ["OSError"], ("OSError",), Ended.FAILED),
        ("failed", ["ValueError"], ("OSError",), Ended.SAYS_NOTHING),
        ("failed", None, ("OSError",), Ended.SAYS_NOTHING),
        ("cancelled", None, (), Ended.SAYS_NOTHING),
        ("skipped", None, (), Ended.SAYS_NOTHING),
        ("missed", None, (), Ended.SAYS_NOTHING),
    ],
)
def test_what_an_end_says(state: str, classes: list[str] | None, counting: tuple[str, ...], end: Ended) -> None:
    assert ended_as(rules(1, exceptions=counting), state, classes) is end


def test_of_a_probe_in_shards_one_failure_is_enough() -> None:
    assert of_the_probe([Ended.SUCCEEDED, Ended.FAILED, Ended.SAYS_NOTHING]) is Ended.FAILED
    assert of_the_probe([Ended.SAYS_NOTHING, Ended.SUCCEEDED]) is Ended.SUCCEEDED
    assert of_the_probe([Ended.SAYS_NOTHING]) is Ended.SAYS_NOTHING
    assert of_the_probe([]) is Ended.SAYS_NOTHING


def test_times() -> None:
    opened = datetime(2026, 7, 1, 2, 10, tzinfo=UTC)
    assert probe_from(rules(1), opened) == datetime(2026, 7, 1, 2, 15, tzinfo=UTC)
    assert probe_from(rules(1), None) is None
    assert since(opened, opened) == "02:10:00 UTC"
    assert since(opened, opened + timedelta(days=1)) == "2026-07-01 02:10:00 UTC"
    assert since(None, opened) == "an unknown time"
