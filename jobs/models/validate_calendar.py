"""What is wrong with a calendar or its parts, asked when it is saved by a form: a sentence for each field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from jobs.calendars import CalendarError, read_events, read_regions, read_weekend, read_zone

if TYPE_CHECKING:
    from jobs.models.calendar import Blackout, Calendar, Freeze

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""The years in which schedules have fire times."""


def calendar_problems(calendar: Calendar) -> dict[str, str]:
    """What of the calendar is not understood, by field."""
    checks: dict[str, Callable[[], Any]] = {
        "timezone": lambda: read_zone(calendar.timezone),
        "countries": lambda: read_regions(calendar.countries),
        "weekend": lambda: read_weekend(calendar.weekend),
        "ical": lambda: _check_events(calendar),
    }
    problems = {}
    for field, check in checks.items():
        try:
            check()
        except CalendarError as error:
            problems[field] = f"{field_name(field)}: {error}"
    if "timezone" in problems:
        problems.pop("ical", None)  # it cannot be read without a zone
    return problems


def freeze_problems(freeze: Freeze) -> dict[str, str]:
    """What makes no sense of a freeze, by field."""
    if freeze.starts_at is None or freeze.ends_at is None:
        return {}  # each is told by its own field
    for name in ("starts_at", "ends_at"):
        if not FIRST <= getattr(freeze, name) <= LAST:
            return {name: "the year must be in 1970-2199"}
    return {"ends_at": "must be after the start"} if freeze.starts_at >= freeze.ends_at else {}


def blackout_problems(blackout: Blackout) -> dict[str, str]:
    """What makes no sense of a blackout, by field."""
    calendar = getattr(blackout, "calendar", None)
    if calendar is None or not blackout.minutes or not blackout.schedule:
        return {}  # each is told by its own field
    try:
        read_zone(calendar.timezone)
    except CalendarError:
        return {}  # the calendar tells it
    try:
        blackout.value(calendar.timezone).check(_now())
    except ValueError as error:
        return {"schedule": str(error)}
    return {}


def field_name(field: str) -> str:
    """How messages call a field of a calendar."""
    names = {"timezone": "time zone", "ical": "iCalendar file"}
    return names.get(field, field)


def _check_events(calendar: Calendar) -> None:
    if events := read_events(calendar.ical, read_zone(calendar.timezone)):
        events.check(_now())


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now
