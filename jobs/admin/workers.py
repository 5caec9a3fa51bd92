"""The page of workers: those that are alive, and what each is doing."""

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.admin.display import NOTHING, badge, duration, moment
from jobs.admin.paginator import CappedPaginator
from jobs.admin.run_columns import link_to_run
from jobs.admin.run_list import HEAVY
from jobs.conf import conf
from jobs.models import Run, Worker

MOST_RUNNING = 100
"""How many runs the page of a worker shows."""

SHOWN = (
    "name",
    "host",
    "pid",
    "condition",
    "heartbeat",
    "lease",
    "load",
    "pool",
    "version",
    "up_since",
    "served",
    "known",
    "executing_now",
)


@admin.register(Worker)
class WorkerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Worker processes with a row of their own; one that has stopped or was declared dead has none."""

    list_display = ("name", "condition", "heartbeat", "load", "served", "pool", "version", "up_since")
    list_filter = ("draining", "pool")
    search_fields = ("name", "host")
    ordering = ("name",)
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    actions = None
    fields = SHOWN
    readonly_fields = SHOWN

    class Media:
        css: ClassVar = {"all": ["jobs/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        with_now: QuerySet[Any] = super().get_queryset(request).annotate(now=Now())
        return with_now

    @admin.display(description="State")
    def condition(self, worker: Any) -> SafeString:
        if worker.lease_until <= worker.now:
            return badge("failed", "Lost", "its lease has ended; its runs are given to others")
        if worker.now - worker.heartbeat_at > timedelta(seconds=2 * conf().heartbeat):
            return badge("missed", "Late", "it has missed a heartbeat")
        if worker.draining:
            return badge("held", "Draining", "it is shutting down and takes no more runs")
        return badge("succeeded", "Alive", "its heartbeat is on time")

    @admin.display(description="Heartbeat", ordering="heartbeat_at")
    def heartbeat(self, worker: Any) -> str:
        return f"{duration(worker.now - worker.heartbeat_at)} ago"

    @admin.display(description="Lease")
    def lease(self, worker: Any) -> str:
        left = worker.lease_until - worker.now
        return f"{duration(left)} left" if left > timedelta(0) else f"ended {duration(-left)} ago"

    @admin.display(description="Load")
    def load(self, worker: Worker) -> SafeString:
        return format_html(
            '<meter max="{}" value="{}"></meter> {} of {}',
            max(worker.concurrency, 1),
            worker.running,
            worker.running,
            worker.concurrency,
        )

    @admin.display(description="Queues")
    def served(self, worker: Worker) -> str:
        return ", ".join(str(queue) for queue in worker.queues) or NOTHING

    @admin.display(description="Up since", ordering="started_at")
    def up_since(self, worker: Any) -> SafeString:
        return moment(worker.started_at, timezone.get_current_timezone(), worker.now)

    @admin.display(description="Tasks it knows")
    def known(self, worker: Worker) -> SafeString | str:
        names = [(name,) for name in sorted(str(name) for name in worker.tasks) if not name.startswith("celery.")]
        return (
            format_html('<ul class="cn-list">{}</ul>', format_html_join("", "<li>{}</li>", names)) if names else NOTHING
        )

    @admin.display(description="Executing")
    def executing_now(self, worker: Any) -> str:
        running = Run.objects.held_by([worker.pk]).select_related("job").defer(*HEAVY).order_by("started_at")
        found: list[Any] = list(running[: MOST_RUNNING + 1])
        for run in found:
            run.link, run.since = link_to_run(run), duration(worker.now - run.started_at)
        context = {"runs": found[:MOST_RUNNING], "more": len(found) > MOST_RUNNING}
        return render_to_string("admin/jobs/executing.html", context)
