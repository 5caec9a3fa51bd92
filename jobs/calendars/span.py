"""Stretches of time."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

DAY = timedelta(days=1)


class Span(NamedTuple):
    """From `start` up to, not including, `end` (both in UTC), and what it is that blocks."""

    start: datetime
    end: datetime
    reason: str


def midnight(day: date, zone: tzinfo) -> datetime:
    """The first moment of a day, in UTC; where the clock skips its midnight, the moment right after the gap."""
    # Before a gap the offset is the old one, by which a midnight that is skipped is the very end of the day before.
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def whole_days(first: date, days: int, zone: tzinfo, reason: str) -> Span:
    """From midnight to midnight: 23 or 25 hours where the clock changes."""
    return Span(midnight(first, zone), midnight(first + days * DAY, zone), reason)
