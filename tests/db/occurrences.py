"""What the tests of single occurrences have in common."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from jobs.models import Job
from jobs.trigger import RequestRefused
from tests.factories import NOON, planned_job

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ANN: dict[str, Any] = {"by": "ann", "why": "the source is late"}
BEFORE = NOON - 10 * MINUTE


def hourly(**fields: Any) -> Job:
    """A job whose next tick is at noon."""
    return planned_job(**{"schedule": "0 * * * *", "timezone": "UTC"} | fields)


def rows(job: Job, *fields: str) -> list[tuple[Any, ...]]:
    return list(job.runs.order_by("scheduled_for", "shard").values_list(*fields))


def next_run_at(job: Job) -> datetime | None:
    return Job.objects.get(pk=job.pk).next_run_at


def refusal(field: str, words: str) -> Any:
    return pytest.raises(RequestRefused, match=f"^{field}: .*{words}")
