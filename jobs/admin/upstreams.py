"""What the pages of jobs and runs tell of jobs that run after others, and the table in which that is edited."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.admin.display import NOTHING
from jobs.admin.run_columns import link_to_run
from jobs.admin.run_list import HEAVY
from jobs.ledger import TickKey, latest_runs
from jobs.models import Job, Run, Upstream
from jobs.models.validate_upstreams import NOT_AFTER
from jobs.policies.upstream import runs_after_others

MOST_SHOWN = 50
"""How many jobs, or runs, a page names."""


def runs_waited_for(run: Run) -> list[Run]:
    """The latest runs of the upstreams of a run's job, for its tick or its tree."""
    above = Upstream.objects.filter(job_id=run.job_id).values_list("upstream_id", flat=True)
    found = latest_runs([TickKey(job_id, run.scheduled_for, run.origin) for job_id in above])
    ids = [one.id for runs in found.values() for one in runs]
    runs = Run.objects.filter(pk__in=ids).select_related("job").defer(*HEAVY).order_by("job__name", "shard")
    return list(runs[: MOST_SHOWN + 1])


class UpstreamColumns:
    """To be mixed into the page of runs."""

    @admin.display(description="Runs after")
    def waits_for(self, run: Run) -> SafeString | str:
        found = runs_waited_for(run)
        rows = [(one.job.name, link_to_run(one)) for one in found[:MOST_SHOWN]]
        if len(found) > MOST_SHOWN:
            rows.append(("and more", SafeString("")))
        return format_html_join(SafeString("<br>"), "{}: {}", rows) if rows else NOTHING

    @admin.display(description="Taken along by")
    def taken_along_by(self, run: Run) -> SafeString | str:
        if run.origin is None or run.origin == run.pk:
            return NOTHING
        origin = Run.objects.select_related("job").filter(pk=run.origin).first()
        return link_to_run(origin) if origin else f"{run.origin}, which is not kept any more"


class DownstreamColumns:
    """To be mixed into the page of jobs."""

    @admin.display(description="Jobs after this one")
    def jobs_after(self, job: Job) -> SafeString | str:
        if job.pk is None:
            return NOTHING
        edges = job.downstreams.select_related("job").order_by("job__name")[: MOST_SHOWN + 1]
        links = [(_link(edge.job), edge.job.get_upstream_rule_display()) for edge in edges]
        if len(links) > MOST_SHOWN:
            links = [*links[:MOST_SHOWN], (SafeString("and more"), "see the list of jobs")]
        return format_html_join(SafeString("<br>"), "{}: {}", links) if links else NOTHING


def _link(job: Job) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("admin:jobs_job_change", args=[job.pk]), job.name)


class UpstreamFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The upstreams of one job, which has to have the schedule for that."""

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.is_valid() and not self._should_delete_form(form)]  # type: ignore[attr-defined]
        if any(form.cleaned_data.get("upstream") for form in kept) and not runs_after_others(self.instance.schedule):
            raise ValidationError(f"schedule: {NOT_AFTER}")


class UpstreamInline(admin.TabularInline):  # type: ignore[type-arg]
    """After which jobs it runs; who may change the job may change that."""

    model = Upstream
    fk_name = "job"
    formset = UpstreamFormSet
    autocomplete_fields = ("upstream",)
    extra = 0
    verbose_name = "upstream"
    verbose_name_plural = "runs after"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("jobs.view_job") or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("jobs.change_job" if obj else "jobs.add_job")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)
