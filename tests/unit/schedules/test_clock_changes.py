"""The clock changes found by probing, against zones looked at hour by hour."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from jobs.schedules.clock_changes import Clock

HOUR = 3600
START = int(datetime(1999, 1, 1, tzinfo=UTC).timestamp())
END = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())


def changes_hour_by_hour(zone: ZoneInfo) -> list[tuple[int, int, int]]:
    """The hour in which each change lies, with the offsets before and after."""
    hours = range(START, END, HOUR)
    offsets = [offset(zone, instant) for instant in hours]
    return [
        (hour, before, after)
        for hour, (before, after) in zip(hours, pairwise(offsets), strict=False)
        if before != after
    ]


def offset(zone: ZoneInfo, instant: int) -> int:
    distance = datetime.fromtimestamp(instant, zone).utcoffset()
    assert distance is not None
    return int(distance.total_seconds())


# America/Noronha had a summer time of one week, Casablanca interrupts its own for Ramadan, Apia skipped a day.
@pytest.mark.parametrize("name", ["America/Noronha", "Africa/Casablanca", "Pacific/Apia", "Australia/Lord_Howe"])
def test_no_change_is_missed(name: str) -> None:
    zone, found, instant = ZoneInfo(name), [], START
    clock = Clock(zone)
    while (instant := clock.stretch_at(instant).end) < END:
        stretch = clock.stretch_at(instant)
        assert stretch.start == instant
        if stretch.offset != stretch.before:
            assert offset(zone, instant) == stretch.offset
            assert offset(zone, instant - 1) == stretch.before
            found.append(((instant - 1) // HOUR * HOUR, stretch.before, stretch.offset))
    assert found == changes_hour_by_hour(zone)


def test_the_last_rule_of_a_zone_goes_on_for_ever() -> None:
    clock = Clock(ZoneInfo("Europe/Riga"))
    stretch = clock.stretch_at(int(datetime(2198, 12, 1, tzinfo=UTC).timestamp()))
    assert (stretch.before, stretch.offset) == (3 * HOUR, 2 * HOUR)
    assert datetime.fromtimestamp(stretch.start, UTC) == datetime(2198, 10, 28, 1, tzinfo=UTC)
