"""Speed, with bounds loose enough for a busy machine: the real figures are ten times better."""

from collections.abc import Callable
from datetime import datetime
from time import perf_counter

import pytest

from jobs.schedules import parse
from tests.unit.schedules.times import following, utc

NOW = utc("2026-01-01")
ROUNDS = 2000


def best(work: Callable[[], object], *, of: int = 5) -> float:
    """The seconds of the fastest of several goes."""
    times = []
    for _ in range(of):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Riga"])
@pytest.mark.parametrize("text", ["*/5 * * * *", "0 2 * * *", "30 9 * * MON-FRI", "* * * * * *", "@every 90s"])
def test_thirty_thousand_a_second(text: str, zone: str) -> None:
    def walk() -> datetime:
        moment = NOW
        for _ in range(ROUNDS):
            moment = following(parse(text, zone), moment)
        return moment

    assert ROUNDS / best(walk) > 30_000


SPARSE = (
    "0 0 29 2 1", "0 0 29 2 */7", "0 0 0 L-3W 12 ? 2199", "0 0 31 12 SUN#5", "0 0 0 1 1 ? 1999",
    "* * * 29 2 ? 2196", "0 0 */28 2 MON#5",
)  # fmt: skip


@pytest.mark.parametrize("text", SPARSE)
def test_sparse_schedules_answer_within_a_millisecond(text: str) -> None:
    schedule = parse(text, "Asia/Tokyo")
    assert best(lambda: schedule.next_after(NOW)) < 0.001
    assert best(lambda: schedule.previous_before(NOW)) < 0.001


def test_a_year_of_seconds_is_counted_within_fifty_milliseconds() -> None:
    schedule = parse("* * * * * *", "America/New_York")
    assert best(lambda: schedule.count_between(NOW, utc("2027-01-01"))) < 0.05
