"""The pages of Django's admin, one module per page."""

from jobs.admin.backfills import BackfillAdmin
from jobs.admin.calendars import CalendarAdmin
from jobs.admin.jobs import JobAdmin
from jobs.admin.pools import PoolAdmin
from jobs.admin.runs import RunAdmin
from jobs.admin.workers import WorkerAdmin

__all__ = ["BackfillAdmin", "CalendarAdmin", "JobAdmin", "PoolAdmin", "RunAdmin", "WorkerAdmin"]
