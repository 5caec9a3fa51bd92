"""A day's runs from the ledger, as CSV."""

import csv
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from celery import shared_task
from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Sum
from django.db.models.functions import Coalesce

from examples.arguments import text, zone
from examples.files import finished_file, folder
from examples.percentile import Percentile
from jobs.clock import database_now
from jobs.current import current_run
from jobs.models import Run
from jobs.states import LIVE, State

COLUMNS = (
    "job",
    "runs",
    "succeeded",
    "failed",
    "cancelled",
    "unfinished",
    "retried",
    "skipped_ticks",
    "missed_ticks",
    "median_seconds",
    "p95_seconds",
    "median_lateness_seconds",
    "p95_lateness_seconds",
)
NOT_RUN = (State.SKIPPED, State.MISSED)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@shared_task(name="examples.report_runs")
def report_runs(timezone: str = "UTC", day: str | None = None) -> dict[str, Any]:
    """Write a line for each job that had a tick or a run on a day, by default yesterday in the time zone.

    Yesterday is counted from the run's own time, so a late or repeated run reports the same day. A run counts on the
    day for which it was scheduled, a stretch of missed ticks on the day on which it begins. Times are in seconds:
    from the last attempt's start to the end of runs that succeeded, and from the tick to the first start. ValueError
    for a wrong argument.
    """
    local = zone("timezone", timezone)
    reported = _yesterday(local) if day is None else _past_day(day, local)
    path = folder("reports") / f"runs-{reported}-{local.key.replace('/', '-')}.csv"
    jobs = _write(path, _lines(*_span(reported, local)))
    current_run().progress(1, f"{jobs} jobs on {reported}")
    return {"file": str(path), "day": str(reported), "jobs": jobs}


def _yesterday(local: ZoneInfo) -> date:
    now = current_run().scheduled_for or database_now()
    return now.astimezone(local).date() - timedelta(days=1)


def _past_day(day: object, local: ZoneInfo) -> date:
    try:
        asked = date.fromisoformat(text("day", day))
    except ValueError as error:
        raise ValueError(f"day: {day!r} is not a date; write it as 2027-01-31") from error
    if asked >= database_now().astimezone(local).date():
        raise ValueError(f"day: {asked} is not over in {local.key}")
    return asked


def _span(day: date, local: ZoneInfo) -> tuple[datetime, datetime]:
    """The day's first moment and the next day's; 23 or 25 hours apart when the clock changes."""
    return datetime.combine(day, time.min, local), datetime.combine(day + timedelta(days=1), time.min, local)


def _lines(begin: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """One line per job, worked out by the database and fetched in portions."""
    ended_well = Q(state=State.SUCCEEDED)
    duration = ExpressionWrapper(F("finished_at") - F("started_at"), DurationField())
    lines = (
        Run.objects.filter(scheduled_for__gte=begin, scheduled_for__lt=end)
        .values(job_name=F("job__name"))
        .annotate(
            runs=Count("pk", filter=~Q(state__in=NOT_RUN)),
            succeeded=Count("pk", filter=ended_well),
            failed=Count("pk", filter=Q(state=State.FAILED)),
            cancelled=Count("pk", filter=Q(state=State.CANCELLED)),
            unfinished=Count("pk", filter=Q(state__in=sorted(LIVE))),
            retried=Count("pk", filter=Q(retries__gt=0)),
            skipped_ticks=Coalesce(Sum("ticks", filter=Q(state=State.SKIPPED)), 0),
            missed_ticks=Coalesce(Sum("ticks", filter=Q(state=State.MISSED)), 0),
            median_seconds=Percentile(duration, 0.5, filter=ended_well),
            p95_seconds=Percentile(duration, 0.95, filter=ended_well),
            median_lateness_seconds=Percentile("lateness", 0.5),
            p95_lateness_seconds=Percentile("lateness", 0.95),
        )
        .order_by("job__name")
    )
    for line in lines.iterator(chunk_size=2000):
        yield {"job": line.pop("job_name"), **line}


def _write(path: Path, lines: Iterable[dict[str, Any]]) -> int:
    count = 0
    with finished_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for count, line in enumerate(lines, start=1):  # noqa: B007
            writer.writerow([_cell(line[column]) for column in COLUMNS])
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.3f}"
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"  # spreadsheets would execute a job's name that begins like this
    return value
