"""The latest runs of the jobs on a page, in one query that reads a few index entries for each job."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection

from jobs.admin.masking import without_passwords
from jobs.states import TERMINAL, State

LATEST = 20
"""How many runs of a job the list looks back."""

COUNTED = (State.SUCCEEDED, State.FAILED, State.MISSED)
"""What a success rate is made of. A run that someone cancelled, or that the overlap policy skipped, is neither."""


@dataclass(frozen=True, slots=True)
class RecentRun:
    """What the list of jobs shows of a run."""

    id: UUID
    state: str
    attempt: int
    scheduled_for: datetime
    finished_at: datetime | None
    why: str

    @property
    def kind(self) -> str:
        """Its state as people call it, in small letters."""
        return "retrying" if self.state == State.SCHEDULED and self.attempt > 1 else self.state

    @property
    def told(self) -> str:
        """All of it in one line."""
        line = f"{self.scheduled_for.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {self.kind}"
        return f"{line}, {self.why}" if self.why else line


@dataclass(frozen=True, slots=True)
class Recent:
    """The latest runs of one job, the newest first."""

    runs: tuple[RecentRun, ...] = ()

    @property
    def last(self) -> RecentRun | None:
        """The newest run that has ended."""
        return next((run for run in self.runs if run.state in TERMINAL), None)

    @property
    def counted(self) -> int:
        """How many of the runs are part of the success rate."""
        return sum(run.state in COUNTED for run in self.runs)

    @property
    def succeeded(self) -> int:
        return sum(run.state == State.SUCCEEDED for run in self.runs)

    @property
    def percent(self) -> int | None:
        """The success rate; None when nothing has been counted yet."""
        return round(100 * self.succeeded / self.counted) if self.counted else None

    @property
    def oldest_first(self) -> tuple[RecentRun, ...]:
        return self.runs[::-1]


_RECENT = """
SELECT job.id, run.*
  FROM unnest(%s::bigint[]) AS job(id)
 CROSS JOIN LATERAL (
       SELECT id, state, attempt, scheduled_for, finished_at,
              left(coalesce(nullif(error, ''), reason), 200) AS why
         FROM jobs_run
        WHERE job_id = job.id
        ORDER BY id DESC
        LIMIT %s
     ) AS run
 ORDER BY job.id, run.id DESC
"""


def recent_runs(job_ids: Collection[int]) -> Mapping[int, Recent]:
    """The latest runs of each job that has any."""
    found: dict[int, list[RecentRun]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_RECENT, [list(job_ids), LATEST])
        for job_id, *columns in cursor.fetchall():
            columns[-1] = without_passwords(columns[-1])
            found.setdefault(job_id, []).append(RecentRun(*columns))
    return {job_id: Recent(tuple(runs)) for job_id, runs in found.items()}
