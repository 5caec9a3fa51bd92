"""The list of jobs: its filters, and what it adds to the rows of one page."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from jobs.admin.recent import Recent, recent_runs
from jobs.models import Job

MOST_QUEUES = 50
"""How many queues are offered as filters."""

AFTER_OTHERS = Q(schedule__iexact="@after")

CONDITIONS = {
    "set-aside": ("Set aside", ~Q(error="")),
    "enabled": ("Enabled", Q(enabled=True, error="")),
    "paused": ("Paused", Q(enabled=False)),
    "done": ("No ticks left", Q(enabled=True, planned=True, next_run_at=None, error="") & ~AFTER_OTHERS),
}


class ConditionFilter(admin.SimpleListFilter):
    """Jobs by how they are."""

    title = "state"
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, word) for name, (word, _) in CONDITIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = CONDITIONS.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class QueueFilter(admin.SimpleListFilter):
    """Jobs by their queue."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        queues = Job.objects.order_by("queue").values_list("queue", flat=True).distinct()[:MOST_QUEUES]
        return [(queue, queue) for queue in queues]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


class JobList(ChangeList):
    """One page of jobs, each with its latest runs as `recent`."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs: list[Any] = list(self.result_list)
        recent = recent_runs([job.pk for job in jobs])
        for job in jobs:
            job.recent = recent.get(job.pk, Recent())
        self.result_list = jobs
