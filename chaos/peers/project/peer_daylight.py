"""When the peers' own schedule classes fire, by a clock that is led through a stretch of time; printed as JSON.

`python peer_daylight.py ZONE SINCE UNTIL CRON...`: for each peer and each cron text the fire times in UTC.
"""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from celery import Celery
from celery.schedules import crontab
from django_celery_beat.tzcrontab import TzAwareCrontab

FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
LONGEST_SLEEP = 60.0
DRIFT = 0.01
"""Seconds that a beat wakes up late at least."""


class Clock:
    """What the schedules take for now."""

    def __init__(self, now: datetime) -> None:
        self.now = now


def of_django_celery_beat(text: str, zone: ZoneInfo, clock: Clock) -> crontab:
    """A schedule as a CrontabSchedule row of django-celery-beat gives it."""

    class Led(TzAwareCrontab):  # type: ignore[misc]
        def nowfunc(self) -> datetime:
            return clock.now.astimezone(zone)

    return Led(tz=zone, **dict(zip(FIELDS, text.split(), strict=True)))


def of_redbeat(text: str, zone: ZoneInfo, clock: Clock) -> crontab:
    """A schedule as celery-redbeat has it: Celery's own, in the zone of the app."""
    app = Celery("peer", broker="memory://")
    app.conf.update(timezone=zone.key)
    return crontab(nowfun=lambda: clock.now.astimezone(zone), app=app, **dict(zip(FIELDS, text.split(), strict=True)))


PEERS: dict[str, Callable[[str, ZoneInfo, Clock], crontab]] = {
    "django-celery-beat": of_django_celery_beat,
    "celery-redbeat": of_redbeat,
}


def fires(schedule: crontab, zone: ZoneInfo, clock: Clock, until: datetime) -> Iterator[str]:
    """Ask as a beat does: is it due, and when shall I ask again?"""
    last = clock.now
    while clock.now < until:
        due, pause = schedule.is_due(last.astimezone(zone))
        if due:
            last = clock.now
            yield clock.now.replace(second=0, microsecond=0).isoformat()
        clock.now += timedelta(seconds=min(max(pause, 0.0), LONGEST_SLEEP) + DRIFT)


def main(zone_name: str, since: str, until: str, *texts: str) -> None:
    """Print the fire times."""
    zone = ZoneInfo(zone_name)
    found: dict[str, dict[str, list[str]]] = {}
    for name, make in PEERS.items():
        for text in texts:
            clock = Clock(datetime.fromisoformat(since).astimezone(UTC))
            schedule = make(text, zone, clock)
            found.setdefault(name, {})[text] = list(fires(schedule, zone, clock, datetime.fromisoformat(until)))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
