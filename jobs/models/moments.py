"""The moments that a row may hold: those that Python can hold in every time zone, with room to add and subtract."""

from datetime import UTC, datetime
from functools import reduce
from operator import and_

from django.db import models

FIRST = datetime(1, 1, 3, tzinfo=UTC)
LAST = datetime(9999, 12, 29, tzinfo=UTC)


def readable(name: str, *fields: str) -> models.CheckConstraint:
    """The database refuses what a beat could not even read: one such row would hold up all jobs."""
    bounds = [models.Q(**{f"{field}__gte": FIRST, f"{field}__lte": LAST}) for field in fields]
    return models.CheckConstraint(
        condition=reduce(and_, bounds),
        name=name,
        violation_error_message=f"moments must lie between {FIRST.date()} and {LAST.date()}",
    )
