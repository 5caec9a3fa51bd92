"""Fire times found the slow way: by looking at every second or minute, with nothing of the code under test."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

Matches = Callable[[datetime], bool]


def fires_on_the_clock(
    zone: ZoneInfo, start: datetime, end: datetime, step: timedelta, matches: Matches
) -> list[datetime]:
    """Every moment after `start` up to `end` at which the clock on the wall matches."""
    return [moment for moment in _moments(start, end, step) if matches(moment.astimezone(zone).replace(tzinfo=None))]


def fires_of_fixed_times(
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    step: timedelta,
    matches: Matches,
    gap: str = "after",
    repeated: str = "first",
) -> list[datetime]:
    """Every matching time on the calendar: when the clock shows it the first or second time, or right after its gap."""
    margin = 2 * timedelta(days=1)  # no clock is further from UTC, and no gap is longer
    fires: set[datetime] = set()
    for moment in _moments(start - margin, end + margin, step):
        wall = moment.replace(tzinfo=None)
        if matches(wall) and (shown := _shown(wall, zone)):
            fires |= {"first": {shown[0]}, "second": {shown[-1]}, "both": set(shown)}[repeated]
        elif matches(wall) and gap == "after":
            fires.add(_first_shown(wall, zone, step))
    return sorted(fire for fire in fires if start < fire <= end)


def _shown(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    moments = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None) == wall)


def _moments(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    moment = start + step
    while moment <= end:
        yield moment
        moment += step


def _first_shown(wall: datetime, zone: ZoneInfo, step: timedelta) -> datetime:
    while True:
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            return moment
        wall += step
