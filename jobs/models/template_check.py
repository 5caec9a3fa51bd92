"""Whether a job's templates can be filled in, asked when it is saved."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.policies.templates import TemplateError, Tick, render
from jobs.schedules import Schedule

NO_RUN = str(UUID(int=0))


def template_errors(
    arguments: dict[str, Any], job: str, schedule: Schedule, starts_at: datetime | None
) -> dict[str, str]:
    """What is wrong with the templates in `arguments`, a value by its field, when the job's next tick fills them in.

    The clock is the database's. A job that has no further tick is tried as if somebody ran it by hand.
    """
    tick = Tick(_next_tick(schedule, starts_at), lambda: schedule, attempt=1, shard=0, job=job, run=NO_RUN)
    errors = {}
    for field, value in arguments.items():
        try:
            render(field, value, tick)
        except TemplateError as error:
            errors[field] = str(error)
    return errors


def _next_tick(schedule: Schedule, starts_at: datetime | None) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(clock_timestamp(), %s::timestamptz - interval '1 microsecond')", [starts_at])
        after: datetime = cursor.fetchone()[0]
    return schedule.next_after(after) or after
