"""The page of jobs."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, path

from jobs.admin.adjust import AdjustAdmin
from jobs.admin.backfill_request import BackfillJobAdmin
from jobs.admin.canaries import CanaryAdmin
from jobs.admin.circuit import CircuitColumns
from jobs.admin.job_columns import JobColumns
from jobs.admin.job_deletion import delete_jobs, what_goes
from jobs.admin.job_fieldsets import NOW, RULES, WHAT, WHAT_MASKED, WHEN
from jobs.admin.job_form import JobForm
from jobs.admin.job_list import ConditionFilter, JobList, QueueFilter
from jobs.admin.job_operations import JOB_OPERATIONS
from jobs.admin.known_tasks import known_tasks
from jobs.admin.paginator import CappedPaginator
from jobs.admin.preview import Question, preview
from jobs.admin.recent import Recent, recent_runs
from jobs.admin.run_with import RunWithAdmin
from jobs.admin.upstreams import DownstreamColumns, UpstreamInline
from jobs.clock import database_now
from jobs.models import Calendar, Job

MOST_NAMED = 100


@admin.register(Job)
class JobAdmin(JobColumns, DownstreamColumns, CircuitColumns, CanaryAdmin, BackfillJobAdmin, AdjustAdmin, RunWithAdmin):
    """What to run and when."""

    form = JobForm
    inlines = (UpstreamInline,)
    operations = JOB_OPERATIONS
    list_display = ("named", "state", "when", "next_run", "last_result", "success")
    list_filter = (ConditionFilter, "overlap", "missed", "retry_policy", QueueFilter)
    list_per_page = 50
    search_fields = ("name", "task")
    search_help_text = "A part of a name or of a task."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    ordering = ("name",)
    readonly_fields = (
        *("condition_told", "next_run_told", "latest", "changed", "created", "upcoming"),
        *("args_shown", "kwargs_shown", "circuit_told", "jobs_after"),
    )

    class Media:
        css: ClassVar = {"all": ["jobs/admin.css"]}
        js: ClassVar = ["jobs/preview.js", "jobs/confirm.js"]

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.pause_job")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        with_now: QuerySet[Any] = super().get_queryset(request).annotate(now=Now())
        return with_now.prefetch_related(Prefetch("calendar", Calendar.objects.light()))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        job: Any = super().get_object(request, object_id, from_field)
        if job is not None:
            job.recent = recent_runs([job.pk]).get(job.pk, Recent())
        return job

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobList]:
        return JobList

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        when = ("When", {"fields": WHEN, "description": render_to_string("admin/jobs/schedule_examples.html")})
        if obj is None:
            return (WHAT, when, *RULES)
        what = WHAT if self.has_change_permission(request, obj) else WHAT_MASKED
        return (NOW, what, when, *RULES)

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.task not in known_tasks():
            warning = (
                f"No task named {obj.task} is known here or to a live worker. The job is saved all the same, as a "
                "worker that is away may know the task; until one does, its runs fail."
            )
            self.message_user(request, warning, messages.WARNING)

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        view = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", view, name="jobs_job_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The preview of the schedule in the query string, as a piece of HTML."""
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        if not (self.has_view_or_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        return HttpResponse(preview(Question.of(request.GET), database_now()))

    def get_deleted_objects(self, objs: Iterable[Job], request: HttpRequest) -> Any:
        jobs = list(objs)
        names = [job.name for job in jobs[:MOST_NAMED]]
        if len(jobs) > MOST_NAMED:
            names.append(f"and {len(jobs) - MOST_NAMED:,} more")
        return names, {"jobs": f"{len(jobs):,}", "runs": what_goes(job.pk for job in jobs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        delete_jobs([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        delete_jobs(queryset.values_list("pk", flat=True))
