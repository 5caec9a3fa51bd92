"""The page of runs: the ledger, to be read; only operations change it."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.admin.operations import OperationsAdmin
from jobs.admin.paginator import CappedPaginator
from jobs.admin.run_columns import RunColumns
from jobs.admin.run_list import JobFilter, MadeFilter, RunList, StateFilter, job_widget
from jobs.admin.run_operations import RUN_OPERATIONS
from jobs.admin.shown_times import ShownTimes
from jobs.admin.upstreams import UpstreamColumns
from jobs.conf import conf
from jobs.models import Job, Run

MOST_JOBS = 500
"""Of how many jobs a search shows the runs."""

TOLD = (
    *("of_job", "tick_told", "badge", "reason_told", "note_told", "trigger"),
    *("waits_for", "taken_along_by", "retries_of", "retried_by", "flower"),
)
OUTCOME = ("error_told", "traceback_told", "result_told", "progress_told", "checkpoint_told")
CALL = ("task", "args_told", "kwargs_told", ("queue", "priority", "timeout_told", "shard_told"), "id")
TIMES = (("late", "took"), ("made", "due"), ("queued", "started"), "finished", ("expires", "deadline"))

ABSENT_WHEN_EMPTY = {
    "reason_told": "reason",
    "note_told": "note",
    "waits_for": "upstream",
    "taken_along_by": "origin",
    "retries_of": "retry_of",
    "error_told": "error",
    "traceback_told": "traceback",
    "result_told": "result",
    "progress_told": "progress",
    "checkpoint_told": "checkpoint",
    "expires": "expires_at",
    "deadline": "deadline_at",
}
"""What the page leaves out when the run's column holds nothing."""


@admin.register(Run)
class RunAdmin(RunColumns, UpstreamColumns, ShownTimes, OperationsAdmin):
    """What ran, what did not, and why."""

    operations = RUN_OPERATIONS
    list_display = ("of_job", "tick", "badge_and_trigger", "attempt", "late", "took_on", "why")
    list_display_links = ("tick",)
    list_filter = (StateFilter, MadeFilter, JobFilter, "trigger")
    list_select_related = ("job",)
    list_per_page = 100
    sortable_by = ()
    search_fields = ("id",)
    search_help_text = "The beginning of a job's name, or a run's whole id."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    ordering = ("-id",)
    readonly_fields = flatten((*TOLD, *OUTCOME, "attempts_made", "counts", *CALL, *TIMES))

    @property
    def media(self) -> forms.Media:
        """With what the filter by job needs."""
        own = forms.Media(css={"all": ["jobs/admin.css"]}, js=["jobs/confirm.js"])
        return super().media + job_widget(self.admin_site).media + own

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        absent = {name for name, column in ABSENT_WHEN_EMPTY.items() if getattr(obj, column, None) in (None, "")}
        if not conf().flower_url:
            absent.add("flower")
        parts = (
            (None, TOLD),
            ("Outcome", OUTCOME),
            ("Attempts", ("attempts_made", "counts")),
            ("Call", CALL),
            ("Times", TIMES),
        )
        shown = [(title, _without(absent, fields)) for title, fields in parts]
        return [(title, {"fields": fields}) for title, fields in shown if fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.operate_run")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        with_now: QuerySet[Any] = super().get_queryset(request).select_related("job").annotate(now=Now())
        return with_now

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RunList]:
        return RunList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The run with this id, or the runs of the jobs whose names begin so."""
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return queryset.filter(job_id__in=self._jobs_named(request, search_term.strip())), False

    def _jobs_named(self, request: HttpRequest, beginning: str) -> list[int]:
        found = Job.objects.filter(name__istartswith=beginning).order_by("name").values_list("pk", flat=True)
        ids = list(found[: MOST_JOBS + 1])
        if len(ids) > MOST_JOBS:
            told = f"More than {MOST_JOBS} jobs begin with “{beginning}”; these are the runs of the first {MOST_JOBS}."
            self.message_user(request, told, messages.WARNING)
        return ids[:MOST_JOBS]


def _without(absent: Collection[str], fields: Iterable[Any]) -> list[Any]:
    """The fields, in their lines, that are not absent."""
    lines = [[field for field in flatten([line]) if field not in absent] for line in fields]
    return [line[0] if len(line) == 1 else line for line in lines if line]
