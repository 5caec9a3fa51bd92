"""The moments of a run's life, each in the time zone of its job."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from jobs.admin.display import moment, zone_of
from jobs.models import Run


class ShownTimes:
    """To be mixed into the page of runs."""

    @admin.display(description="Made")
    def made(self, run: Any) -> SafeString:
        return _shown(run, "created_at")

    @admin.display(description="Due")
    def due(self, run: Any) -> SafeString:
        return _shown(run, "due_at")

    @admin.display(description="Sent")
    def queued(self, run: Any) -> SafeString:
        return _shown(run, "queued_at")

    @admin.display(description="Started")
    def started(self, run: Any) -> SafeString:
        return _shown(run, "started_at")

    @admin.display(description="Ended")
    def finished(self, run: Any) -> SafeString:
        return _shown(run, "finished_at")

    @admin.display(description="Must start by")
    def expires(self, run: Any) -> SafeString:
        return _shown(run, "expires_at")

    @admin.display(description="Rescue looks at")
    def deadline(self, run: Any) -> SafeString:
        return _shown(run, "deadline_at")

    @admin.display(description="Time limit")
    def timeout_told(self, run: Run) -> str:
        return f"{run.timeout:,} s"


def _shown(run: Any, field: str) -> SafeString:
    return moment(getattr(run, field), zone_of(run.job.timezone), run.now)
