"""Tell how many runs are expected in the coming hours, and how to flatten their peak."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import get_current_timezone

from jobs import load
from jobs.clock import database_now
from jobs.policies.flatten import Suggestion

WIDTH = 40
"""Of the longest bar, in characters."""
MOST_NAMED = 3

FOOTNOTE = """\
Each suggestion counts on those before it. A schedule is moved only to later minutes of the same hour, and only where
nothing hangs on the tick's own time (arguments with the tick in them, a calendar, jobs before or after it); elsewhere a
jitter puts off the run and leaves the tick. Not counted: retries, jobs that run after others, and what calendars, open
circuit breakers or people will have forbidden."""


class Command(BaseCommand):
    """Print the busiest minute, a line for each hour, and suggestions."""

    help = "Tell how many runs are expected in the coming hours, and which jobs to move to flatten the peak."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hours", type=int, default=24, help="How far to look ahead (default: 24, at most 744).")
        parser.add_argument("--most", type=int, default=5, help="How many suggestions to make at most (default: 5).")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print it all as one JSON object.")

    def handle(self, *args: Any, hours: int, most: int, as_json: bool, **options: Any) -> None:
        now = database_now()
        try:
            found = load.expected(now, hours)
        except ValueError as error:
            raise CommandError(str(error)) from error
        made = load.suggestions(now, hours, most, found)
        for line in [_json(found, made)] if as_json else _report(found, made):
            self.stdout.write(line)


def _json(found: load.Load, made: Sequence[Suggestion]) -> str:
    return json.dumps(
        {
            "start": found.start.isoformat(),
            "per_minute": found.per_minute,
            "total": found.total,
            "peak": found.peak,
            "busiest": [minute.isoformat() for minute in found.busiest] if found.peak else [],
            "unread_jobs": found.unread,
            "suggestions": [asdict(suggestion) for suggestion in made],
        }
    )


def _report(found: load.Load, made: Sequence[Suggestion]) -> Iterator[str]:
    zone = get_current_timezone()
    end = found.start + timedelta(minutes=len(found.per_minute))
    span = f"from {found.start.astimezone(zone):%Y-%m-%d %H:%M} to {end.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"
    yield f"{found.total:,} runs are expected {span}." if found.total != 1 else f"1 run is expected {span}."
    if found.unread == 1:
        yield "1 job is left out, because its schedule cannot be read."
    elif found.unread:
        yield f"{found.unread:,} jobs are left out, because their schedules cannot be read."
    if not found.total:
        return
    yield from _peak(found, zone)
    yield ""
    yield "begins              runs   busiest minute"
    for start, minutes in _hours(found):
        yield _hour(start.astimezone(zone), minutes, found.peak)
    yield ""
    yield from _suggestions(made)


def _peak(found: load.Load, zone: Any) -> Iterator[str]:
    average = found.total / len(found.per_minute)
    first, *others = found.busiest
    more = f" and {len(others):,} other times" if others else ""
    when = f"{first.astimezone(zone):%Y-%m-%d %H:%M}{more}"
    yield f"The busiest minute has {found.peak:,}, at {when}; the average has {average:,.1f}."


def _hours(found: load.Load) -> Iterator[tuple[datetime, Sequence[int]]]:
    """The minutes of each hour of the clock; the first and the last hour may be cut."""
    begin = 0
    while begin < len(found.per_minute):
        start = found.start + timedelta(minutes=begin)
        end = begin + 60 - start.minute
        yield start, found.per_minute[begin:end]
        begin = end


def _hour(start: datetime, minutes: Sequence[int], peak: int) -> str:
    busiest = max(minutes)
    bar = "#" * -(-busiest * WIDTH // peak)
    at = f"{start + timedelta(minutes=minutes.index(busiest)):%H:%M}" if busiest else "     "
    return f"{start:%Y-%m-%d %H:%M} {sum(minutes):>8,}   {at} {busiest:>8,}  {bar}".rstrip()


def _suggestions(made: Sequence[Suggestion]) -> Iterator[str]:
    if not made:
        yield "There is nothing to suggest: no job that may be moved would lower the peak."
        return
    yield "To flatten it:"
    for number, suggestion in enumerate(made, 1):
        yield f"{number:>3}. {suggestion}"
        names = ", ".join(suggestion.jobs[:MOST_NAMED])
        more = f" and {len(suggestion.jobs) - MOST_NAMED:,} more" if len(suggestion.jobs) > MOST_NAMED else ""
        yield f"     {suggestion.effect}" + (f" (the jobs {names}{more})" if len(suggestion.jobs) > 1 else "")
    yield ""
    yield FOOTNOTE
