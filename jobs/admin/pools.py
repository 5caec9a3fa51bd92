"""The page of pools: how full they are, who holds their slots, what waits for them, and by which limits."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Count, ProtectedError, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import limits
from jobs.admin.circuit import CLOSE_CIRCUIT, CircuitColumns
from jobs.admin.display import NOTHING, duration
from jobs.admin.operations import OperationsAdmin
from jobs.admin.run_columns import link_to_run
from jobs.admin.run_list import HEAVY
from jobs.models import Pool, Run
from jobs.states import State

MOST_SHOWN = 100
MOST_COUNTED = 10_000
"""How many waiting runs are counted; beyond that the page says "more than"."""

NOW = ("Now", {"fields": ("filled", "begun", "circuit_told", "holders", "waiting_for", "used_by")})
WHAT = (None, {"fields": ("name", "description")})
LIMITS = ("Limits", {"fields": ("slots", ("rate", "period"), "ageing")})
BREAKER = (
    "Circuit breaker",
    {
        "fields": (
            ("breaker_failures", "breaker_percent", "breaker_window"),
            ("breaker_exceptions", "breaker_pause"),
        ),
        "description": "While it is open, the runs of all jobs in the pool wait; then they go on in order.",
    },
)


@admin.register(Pool)
class PoolAdmin(CircuitColumns, OperationsAdmin):
    """Slots and rates that jobs share."""

    operations = (CLOSE_CIRCUIT,)
    list_display = ("name", "filled", "begun", "waiting", "circuit_told", "number_of_jobs")
    search_fields = ("name",)
    show_full_result_count = False
    readonly_fields = ("filled", "begun", "circuit_told", "holders", "waiting_for", "used_by")

    class Media:
        css: ClassVar = {"all": ["jobs/admin.css"]}
        js: ClassVar = ["jobs/admin.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        pools: QuerySet[Any] = super().get_queryset(request)
        with_jobs: QuerySet[Any] = pools.annotate(now=Now(), job_count=Count("jobs"))
        return with_jobs

    def get_fieldsets(self, request: HttpRequest, obj: Pool | None = None) -> Any:
        return (WHAT, LIMITS, BREAKER) if obj is None else (NOW, WHAT, LIMITS, BREAKER)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's page; a pool that jobs are in stays, and the message tells why."""
        pool = self.get_object(request, unquote(object_id))
        if pool is not None and self.has_delete_permission(request, pool) and pool.job_count:
            return self._refused(request, pool)
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:  # by a job that has come meanwhile
            return self._refused(request, pool)

    def _refused(self, request: HttpRequest, pool: Any) -> HttpResponse:
        why = f"The pool {pool} cannot be deleted, because jobs are in it. Choose another one there first."
        self.message_user(request, why, messages.ERROR)
        return HttpResponseRedirect(self._address("change", pool))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Not several at once from the list: each is asked for its jobs.
        chosen = request.POST.get("action") == "delete_selected"
        return not chosen and super().has_delete_permission(request, obj)

    @admin.display(description="Slots")
    def filled(self, pool: Pool) -> SafeString:
        taken = limits.holding(pool).count()
        if pool.slots is None:
            return format_html("{} running, no limit", f"{taken:,}")
        if not pool.slots:
            return format_html('<span class="cn-error">stopped</span>, {} running', f"{taken:,}")
        bar = '<meter max="{}" value="{}"></meter> {} of {}'
        return format_html(bar, pool.slots, taken, f"{taken:,}", f"{pool.slots:,}")

    @admin.display(description="Rate")
    def begun(self, pool: Any) -> str:
        if pool.rate is None:
            return "no limit"
        return f"{limits.begun(pool, pool.now):,} of {pool.rate:,} in {pool.period:,} s"

    @admin.display(description="Waiting")
    def waiting(self, pool: Pool) -> str:
        found = _waiting(pool)[: MOST_COUNTED + 1].count()
        return f"more than {MOST_COUNTED:,}" if found > MOST_COUNTED else f"{found:,}"

    @admin.display(description="Jobs", ordering="job_count")
    def number_of_jobs(self, pool: Any) -> str:
        return f"{pool.job_count:,}"

    @admin.display(description="Hold a slot")
    def holders(self, pool: Any) -> str:
        holding = limits.holding(pool).select_related("job").defer(*HEAVY).order_by("admitted_at", "id")
        found: list[Any] = list(holding[: MOST_SHOWN + 1])
        for run in found:
            run.link, run.since = link_to_run(run), duration(pool.now - (run.admitted_at or run.due_at))
        context = {"runs": found[:MOST_SHOWN], "more": len(found) > MOST_SHOWN}
        return render_to_string("admin/jobs/pool_holders.html", context)

    @admin.display(description="Waiting")
    def waiting_for(self, pool: Pool) -> str:
        counted = _waiting(pool)[:MOST_COUNTED].values_list("reason", "limit_key")
        found: dict[tuple[str, str], int] = {}
        for waiting in counted:
            found[waiting] = found.get(waiting, 0) + 1
        rows = sorted(found.items(), key=lambda row: (-row[1], row[0]))
        shown = [{"reason": reason, "key": key or NOTHING, "runs": number} for (reason, key), number in rows]
        more = len(counted) == MOST_COUNTED or len(shown) > MOST_SHOWN
        return render_to_string("admin/jobs/pool_waiting.html", {"rows": shown[:MOST_SHOWN], "more": more})

    @admin.display(description="Jobs")
    def used_by(self, pool: Any) -> str:
        context = {"jobs": pool.jobs.only("pk", "name")[:MOST_SHOWN], "more": pool.job_count - MOST_SHOWN}
        return render_to_string("admin/jobs/pool_jobs.html", context)


def _waiting(pool: Pool) -> QuerySet[Run]:
    return Run.objects.filter(job__pool=pool, state=State.WAITING, limited=True).order_by()
