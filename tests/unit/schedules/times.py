"""Short ways to write moments and to list fire times in tests."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from jobs.schedules import Schedule, parse


def local(text: str, zone: str, *, fold: int = 0) -> datetime:
    """A moment such as `2026-03-29 03:30` on the clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fires(text: str, zone: str | tzinfo, after: datetime, until: datetime, *, key: str = "") -> list[str]:
    """The fire times with their offsets, as text, so that equal means the same instant on the same clock."""
    return [str(fire) for fire in parse(text, zone, key=key).between(after, until)]


def next_dates(text: str, count: int, *, after: str = "2026-01-01", zone: str = "UTC") -> list[str]:
    """The dates of the next fire times."""
    schedule, moment = parse(text, zone), utc(after)
    dates = []
    for _ in range(count):
        moment = following(schedule, moment)
        dates.append(moment.date().isoformat())
    return dates


def following(schedule: Schedule, moment: datetime) -> datetime:
    found = schedule.next_after(moment)
    assert found is not None
    return found
