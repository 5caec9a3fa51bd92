"""The questions asked of the tables, in words."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db.models import Case, F, QuerySet, TextField, Value, When
from django.db.models.functions import Now

from jobs.states import LIVE, State

if TYPE_CHECKING:
    from jobs.models import Job, Run
else:
    Job = Run = Any


def replanning() -> dict[str, Any]:
    """What marks a job for planning. Its old schedule owes ticks until the first edit that no beat has seen yet."""
    return {
        "planned": Value(False),  # noqa: FBT003 - SQL
        "planned_from": Now(),
        "owed_until": Case(When(planned=True, then=Now()), default=F("owed_until")),
        "error": Value("", output_field=TextField()),
    }


class JobQuerySet(QuerySet["Job"]):
    """Jobs, as the beat asks for them."""

    def update(self, **values: Any) -> int:
        """As Django's; a change of the fire times marks the jobs for planning, as `Job.save` does."""
        if not set(values) <= set(self.model.ENGINE):
            values.setdefault("updated_at", Now())
        if set(values) & {*self.model.PLANNING, "calendar_id"} and "planned" not in values:
            values |= replanning()
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def due(self, now: datetime) -> Self:
        """Planned jobs with a tick at or before `now`, the longest due first."""
        return self.filter(planned=True, next_run_at__lte=now).order_by("next_run_at")

    def unplanned(self) -> Self:
        """Jobs that are new or edited, whose fire times the beat has not worked out yet."""
        return self.filter(planned=False).order_by("id")


class RunQuerySet(QuerySet["Run"]):
    """Runs, as the flow asks for them."""

    def due(self, now: datetime) -> Self:
        """Runs that may be sent, the longest due first."""
        return self.filter(state=State.SCHEDULED, due_at__lte=now).order_by("due_at")

    def overdue(self, now: datetime) -> Self:
        """Runs with the workers that should have moved on by `now`."""
        return self.filter(state__in=(State.QUEUED, State.RUNNING), deadline_at__lt=now).order_by("deadline_at")

    def expired(self, now: datetime) -> Self:
        """Runs that did not start by their start deadline."""
        waiting = (State.SCHEDULED, State.WAITING, State.QUEUED, State.HELD)
        return self.filter(state__in=waiting, expires_at__isnull=False, expires_at__lt=now).order_by("expires_at")

    def unsettled(self) -> Self:
        """Runs that have ended, and from whose end something is to follow."""
        return self.filter(unsettled=True, finished_at__isnull=False).order_by("finished_at")

    def live(self) -> Self:
        """Runs that have not ended."""
        return self.filter(state__in=sorted(LIVE))

    def held_by(self, workers: Collection[UUID]) -> Self:
        """Runs that these workers are executing."""
        return self.filter(state=State.RUNNING, worker_id__in=workers)
