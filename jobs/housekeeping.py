"""Housekeeping as ordinary Celery tasks; they are PeriodicTasks that an operator can see, move and switch off."""

from celery import shared_task

from jobs.clock import database_now
from jobs.prune import prune


@shared_task(name="jobs.prune")
def prune_runs() -> int:
    """Remove finished runs that are older than their job keeps them; how many."""
    return prune(database_now())
