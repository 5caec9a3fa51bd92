"""The page "Backfill…" of a job: what to make up for, then what that would make, then the start."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from jobs import backfill
from jobs.admin.display import moment, zone_of
from jobs.admin.operations import Operation, OperationsAdmin, Operator, Told
from jobs.admin.wall_clock import WallClockField, read_wall_clock, write_wall_clock
from jobs.clock import database_now
from jobs.models import Backfill, Job
from jobs.models.backfill import MOST_AT_ONCE
from jobs.models.choices import BackfillOrder, Redo
from jobs.trigger import RequestRefused

LABEL = "Backfill…"
FIELDS = ("first", "last", "redo", "order", "at_once", "why")


class BackfillForm(forms.Form):
    """Which ticks, which of them again, in which order, how many at a time, and why."""

    first = WallClockField(label="From")
    last = WallClockField(label="To")
    redo = forms.ChoiceField(
        label="Run again",
        choices=Redo.choices,
        initial=Redo.NONE,
        help_text="Of the ticks that have a run. Those without one are run in any case, those that run now in none.",
    )
    order = forms.ChoiceField(label="Order", choices=BackfillOrder.choices, initial=BackfillOrder.OLDEST)
    at_once = forms.IntegerField(
        label="At once",
        min_value=1,
        max_value=MOST_AT_ONCE,
        initial=1,
        help_text="How many ticks may have runs that have not ended. Where runs must not overlap, one executes.",
    )
    why = forms.CharField(label="Why", max_length=500, widget=forms.TextInput({"class": "vTextField"}))
    even_if_many = forms.BooleanField(label="Yes, even so many", required=False)

    def __init__(self, job: Job, now: datetime, data: Any = None) -> None:
        super().__init__(data)
        self.zone = zone_of(job.timezone)
        clock = f"{self.zone}, where it is now {write_wall_clock(now, self.zone)}"
        self.fields["first"].help_text = f"The first moment, in the job's time zone: {clock}."
        self.fields[
            "last"
        ].help_text = "The last moment; a tick at it belongs to the range. A day alone is its midnight."

    def clean_first(self) -> datetime | None:
        return read_wall_clock(self.cleaned_data["first"], self.zone)

    def clean_last(self) -> datetime | None:
        return read_wall_clock(self.cleaned_data["last"], self.zone)

    def asked(self) -> backfill.Asked:
        """What is asked for, of a form that is valid."""
        return backfill.Asked(**{name: self.cleaned_data[name] for name in FIELDS})

    def refuse(self, refused: RequestRefused) -> None:
        """Show at its field why it was refused."""
        self.add_error(refused.field if refused.field in self.fields else None, refused.why)


class BackfillJobAdmin(OperationsAdmin):
    """The page of a job, with a button that leads to the form."""

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        view = self.admin_site.admin_view(self.backfill_view)
        return [path("<path:object_id>/backfill/", view, name="jobs_job_backfill"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        job = context.get("original")
        if job and self.has_backfill_permission(request):
            context["backfill"] = {"label": LABEL, "url": self._address("backfill", job)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_backfill_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.backfill_job")

    def backfill_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form; by POST the dry run, and with `step=start` the backfill itself."""
        if request.method not in ("GET", "POST"):
            return HttpResponseNotAllowed(["GET", "POST"])
        if not self.has_backfill_permission(request) or not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, unquote(object_id))
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        form = BackfillForm(job, database_now(), request.POST if request.method == "POST" else None)
        if not form.is_valid() or request.POST.get("step") == "edit":
            return self._backfill_form(request, job, form)
        if request.POST.get("step") == "start":
            return self._backfill_started(request, job, form)
        return self._backfill_dry_run(request, job, form)

    def _backfill_form(self, request: HttpRequest, job: Job, form: BackfillForm) -> HttpResponse:
        fields = AdminForm(form, [(None, {"fields": list(FIELDS)})], {}, model_admin=self)  # type: ignore[arg-type]
        context = {"adminform": fields, "errors": form.errors, "media": self.media + form.media}
        return self._backfill_page(request, job, "admin/jobs/backfill_form.html", context)

    def _backfill_dry_run(self, request: HttpRequest, job: Job, form: BackfillForm) -> HttpResponse:
        try:
            told = backfill.preview(job, form.asked(), database_now())
        except RequestRefused as refused:
            form.refuse(refused)
            return self._backfill_form(request, job, form)
        context = {
            "form": form,
            "told": told,
            "first": [moment(tick, form.zone) for tick in told.first],
            "last": [moment(tick, form.zone) for tick in told.last],
            "between": told.total - len(told.first) - len(told.last),
            "hidden": [form[name].as_hidden() for name in FIELDS],
            "chosen": [(form[name].label, _shown(form, name)) for name in FIELDS],
            "media": self.media,
        }
        return self._backfill_page(request, job, "admin/jobs/backfill_dry_run.html", context)

    def _backfill_started(self, request: HttpRequest, job: Job, form: BackfillForm) -> HttpResponse:
        made: list[Backfill] = []

        def start(job: Job, operator: Operator) -> Told:
            many = bool(form.cleaned_data["even_if_many"])
            made.append(backfill.start(job.pk, form.asked(), operator.name, database_now(), even_if_many=many))
            return Told.done(f"started, {made[0].total:,} ticks", made[0])

        try:
            self.operate(request, Operation("backfill", "Backfill", "backfill", start, lambda _: True), [job])
        except RequestRefused as refused:
            if refused.field == "even_if_many":
                return self._backfill_dry_run(request, job, form)
            form.refuse(refused)
            return self._backfill_form(request, job, form)
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:jobs_backfill_change", args=[made[0].pk]))

    def _backfill_page(self, request: HttpRequest, job: Job, template: str, context: dict[str, Any]) -> HttpResponse:
        context |= {
            **self.admin_site.each_context(request),
            "title": f"Backfill {job}",
            "opts": self.opts,
            "original": job,
            "back": self._address("change", job),
        }
        return TemplateResponse(request, template, context)


def _shown(form: BackfillForm, name: str) -> str:
    value = form.cleaned_data[name]
    if name in ("first", "last"):
        return f"{write_wall_clock(value, form.zone)} ({form.zone})"
    return dict([*Redo.choices, *BackfillOrder.choices]).get(value, str(value))
