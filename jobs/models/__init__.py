"""The tables: what to run and when (Job and what is about it), what ran (Run, Attempt) and who ran it (Worker)."""

from jobs.models.adjustment import Adjustment
from jobs.models.attempt import Attempt
from jobs.models.backfill import Backfill
from jobs.models.calendar import Blackout, Calendar, Freeze
from jobs.models.canary import Canary
from jobs.models.job import Job
from jobs.models.pool import Pool
from jobs.models.run import Run
from jobs.models.upstream import Upstream
from jobs.models.worker import Worker

__all__ = [
    "Adjustment",
    "Attempt",
    "Backfill",
    "Blackout",
    "Calendar",
    "Canary",
    "Freeze",
    "Job",
    "Pool",
    "Run",
    "Upstream",
    "Worker",
]
