"""The pages of Django's admin, one module per page."""

from jobs.admin.jobs import JobAdmin
from jobs.admin.runs import RunAdmin
from jobs.admin.workers import WorkerAdmin

__all__ = ["JobAdmin", "RunAdmin", "WorkerAdmin"]
