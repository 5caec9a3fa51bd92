"""The page of backfills: how far each has come, and its operations."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs import backfill
from jobs.admin.display import NOTHING, badge, moment, state_badge, zone_of
from jobs.admin.operations import Operation, OperationsAdmin, Operator, Told
from jobs.admin.paginator import CappedPaginator
from jobs.clock import database_now
from jobs.models import Backfill
from jobs.models.choices import BackfillState, Circuit
from jobs.states import State
from jobs.trigger import RequestRefused

KINDS: Final = {
    BackfillState.RUNNING: ("running", "its runs are made as there is room for them"),
    BackfillState.PAUSED: ("held", "no runs are made, and none is started"),
    BackfillState.CANCELLED: ("cancelled", "stopped by someone, with its runs"),
    BackfillState.DONE: ("succeeded", "every tick was looked at, and its runs have ended"),
}
TOLD = ("of_job", "range_told", "badge", "reason_told", "progress_told", "runs_told")
ASKED = ("redo", "order", "at_once", "why", "made_by", "created", "finished")


def _pause(target: Backfill, operator: Operator) -> Told:
    if backfill.pause(target.pk, operator.name):
        return Told.done("no more runs are made or started; those that have begun go on")
    return Told.lost("nothing changed, it is not running")


def _resume(target: Backfill, _: Operator) -> Told:
    try:
        resumed = backfill.resume(target.pk)
    except RequestRefused as refused:
        return Told.lost(f"nothing changed, {refused.why}")
    return Told.done("it goes on from where it was") if resumed else Told.lost("nothing changed, it is not paused")


def _cancel(target: Backfill, operator: Operator) -> Told:
    if not backfill.cancel(target.pk, operator.name, database_now(), operator.revoke):
        return Told.lost("nothing changed, it has ended")
    if operator.revoke.away:
        return Told.partly("cancelled; the broker is away, so workers stop its runs at their next heartbeat")
    return Told.done("cancelled, with its runs that had not ended")


CANCEL_QUESTION: Final = (
    "Its runs that have not ended are cancelled, in the middle of what they do. Cancel this backfill?"
)

OPERATIONS: Final = (
    Operation("pause", "Pause", "backfill", _pause, lambda one: one.state == BackfillState.RUNNING),
    Operation("resume", "Resume", "backfill", _resume, lambda one: one.state == BackfillState.PAUSED),
    Operation(
        "cancel",
        "Cancel",
        "backfill",
        _cancel,
        lambda one: one.state in (BackfillState.RUNNING, BackfillState.PAUSED),
        CANCEL_QUESTION,
    ),
)


@admin.register(Backfill)
class BackfillAdmin(OperationsAdmin):
    """Ticks of the past that somebody wants to have run. They are started on the page of their job."""

    operations = OPERATIONS
    list_display = ("named", "badge", "ticks_told", "redo", "made_by", "created")
    list_filter = ("state",)
    list_select_related = ("job",)
    search_fields = ("job__name",)
    search_help_text = "A part of the job's name."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    ordering = ("-id",)
    fieldsets = ((None, {"fields": TOLD}), ("What was asked for", {"fields": ASKED}))
    readonly_fields = (*TOLD, *ASKED)

    class Media:
        css: ClassVar = {"all": ["jobs/admin.css"]}
        js: ClassVar = ["jobs/confirm.js"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_backfill_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.backfill_job")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_backfill_permission(request) or super().has_view_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        with_now: QuerySet[Any] = super().get_queryset(request).select_related("job").annotate(now=Now())
        return with_now

    @admin.display(description="Job and range")
    def named(self, one: Backfill) -> SafeString:
        return format_html('{}<span class="cn-under">{}</span>', one.job.name, self.range_told(one))

    @admin.display(description="Job")
    def of_job(self, one: Backfill) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("admin:jobs_job_change", args=[one.job_id]), one.job.name)

    @admin.display(description="Ticks from and to")
    def range_told(self, one: Backfill) -> SafeString:
        zone = zone_of(one.job.timezone)
        return format_html("{} to {}", moment(one.first, zone), moment(one.last, zone))

    @admin.display(description="State")
    def badge(self, one: Backfill) -> SafeString:
        kind, meaning = KINDS[BackfillState(one.state)]
        return badge(kind, one.get_state_display(), meaning)

    @admin.display(description="Why it stands so")
    def reason_told(self, one: Backfill) -> str:
        if one.state == BackfillState.RUNNING and one.job.circuit != Circuit.CLOSED:
            return "waits for the circuit breaker of the job to close"
        return one.reason or NOTHING

    @admin.display(description="Ticks looked at")
    def ticks_told(self, one: Backfill) -> str:
        return f"{one.seen:,} of {one.total:,}"

    @admin.display(description="Progress")
    def progress_told(self, one: Backfill) -> SafeString:
        told = f"{one.seen:,} of {one.total:,} ticks looked at, {one.made:,} runs made"
        return format_html('<progress max="{}" value="{}"></progress> {}', one.total, one.seen, told)

    @admin.display(description="Its runs")
    def runs_told(self, one: Backfill) -> SafeString | str:
        counts = backfill.progress(one).states
        address = reverse("admin:jobs_run_changelist")
        rows = [
            (f"{address}?backfill__id__exact={one.pk}&state={state}", state_badge(state), f"{counts[state]:,}")
            for state in State
            if counts.get(state)
        ]
        return format_html_join(SafeString("<br>"), '<a href="{}">{} {}</a>', rows) or NOTHING

    @admin.display(description="Started")
    def created(self, one: Any) -> SafeString:
        return moment(one.created_at, zone_of(one.job.timezone), one.now)

    @admin.display(description="Ended")
    def finished(self, one: Any) -> SafeString:
        return moment(one.finished_at, zone_of(one.job.timezone), one.now)
