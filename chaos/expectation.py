"""Which ticks were due, worked out by another hand: cronsim in a job's zone, which knows nothing of our schedules."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A schedule in force after one moment and until another."""

    schedule: str
    timezone: str
    after: datetime
    until: datetime


def ticks(window: Window) -> Iterator[datetime]:
    """The fire times t with after < t <= until, in UTC. Only what both cron dialects read alike is asked for here."""
    zone = ZoneInfo(window.timezone)
    start = window.after.astimezone(zone).replace(microsecond=0)
    for fire in CronSim(window.schedule, start):
        moment = fire.astimezone(UTC)
        if moment > window.until:
            return
        if moment > window.after:
            yield moment
