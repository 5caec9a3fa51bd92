"""The tables: what to run and when (Job), what ran (Run, Attempt) and who ran it (Worker)."""

from jobs.models.attempt import Attempt
from jobs.models.job import Job
from jobs.models.run import Run
from jobs.models.worker import Worker

__all__ = ["Attempt", "Job", "Run", "Worker"]
