"""The example tasks, one module per duty. Each is an ordinary Celery task that would do the same without a job."""

from examples.tasks.backup import back_up_database
from examples.tasks.directory import prune_directory
from examples.tasks.endpoints import check_endpoints
from examples.tasks.flaky import ask_unreliable_upstream
from examples.tasks.report import report_runs
from examples.tasks.sessions import clear_expired_sessions
from examples.tasks.sync import sync_contacts

__all__ = [
    "ask_unreliable_upstream",
    "back_up_database",
    "check_endpoints",
    "clear_expired_sessions",
    "prune_directory",
    "report_runs",
    "sync_contacts",
]
