"""Jitter: stable, spread evenly, and never as long as the time between two ticks."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.policies.jitter import delay_of, passed_ticks
from jobs.schedules import parse

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "jitter", "milliseconds"),
    [("invoices", 3600, 1_284_696), ("sales", 3600, 1_463_986), ("invoices", 60, 57_705)],
)
def test_the_delay_of_a_job_is_pinned(name: str, jitter: int, milliseconds: int) -> None:
    assert delay_of(name, jitter) == timedelta(milliseconds=milliseconds)


@given(st.text(), st.integers(0, 86_400))
def test_it_lies_within_the_jitter_and_is_the_same_every_time(name: str, jitter: int) -> None:
    delay = delay_of(name, jitter)
    assert timedelta(0) <= delay <= timedelta(seconds=jitter)
    assert delay == delay_of(name, jitter)


def test_it_spreads_evenly() -> None:
    minutes = Counter(delay_of(f"job {number}", 3600) // timedelta(minutes=1) for number in range(60_000))
    assert len(minutes) >= 60
    assert all(850 < minutes[minute] < 1150 for minute in range(60)), "1,000 a minute, give or take 4.7 sigma"


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("* * * * *", 59),
        ("@every 10m", 599),
        ("0 2 * * *", 23 * 3600 - 1),  # the day on which the clock goes forward
        ("30 0-23 * * *", 1799),  # 02:30, which that skips, comes as 03:00, and then 03:30
        ("0 9 1,31 * *", 86_399),
        ("*/40 * * * *", 1199),
    ],
)
def test_the_longest_jitter_is_just_under_the_shortest_time_between_two_ticks(text: str, longest: int) -> None:
    schedule = parse(text, "America/New_York")
    assert passed_ticks(schedule, longest, NOON) is None
    assert passed_ticks(schedule, longest + 1, NOON) is not None


def test_what_comes_once_or_never_has_no_next_tick_to_pass() -> None:
    assert passed_ticks(parse("@at 2027-01-01T09:00", "UTC"), 86_400, NOON) is None
    assert passed_ticks(parse("0 0 29 2 *", "UTC"), 86_400, NOON.replace(year=2190)) is None


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(
        ["*/37 */3 * * *", "13,55 * * * *", "30 1-4 * * *", "H/20 2,14 * * *", "0 0 * * MON,TUE", "@every 7m"]
    ),
    st.sampled_from(["UTC", "Europe/Riga", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.sampled_from(["after", "skip"]),
    st.sampled_from(["first", "second", "both"]),
    st.integers(1, 86_400),
)
def test_an_accepted_jitter_never_passes_a_tick_of_a_year(
    text: str, zone: str, gap: str, repeated: str, jitter: int
) -> None:
    schedule = parse(text, zone, key="a job", gap=gap, repeated=repeated)
    if passed_ticks(schedule, jitter, NOON) is not None:
        return
    ticks = [tick.astimezone(UTC) for tick in schedule.between(NOON, NOON + timedelta(days=370))]
    assert all(late - early > timedelta(seconds=jitter) for early, late in pairwise(ticks))
