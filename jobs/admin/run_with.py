"""The page "Run with…": a run of a job with other arguments, or at a later time."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from jobs import trigger
from jobs.admin.display import zone_of
from jobs.admin.job_fields import OwnUnlessGiven
from jobs.admin.operations import Operation, OperationsAdmin, Told
from jobs.admin.wall_clock import WallClockField, read_wall_clock, write_wall_clock
from jobs.clock import database_now
from jobs.models import Job
from jobs.states import State

LABEL = "Run with…"


class RunWithForm(forms.Form):
    """What to run the job with, and when."""

    args = OwnUnlessGiven(list, label="Arguments")
    kwargs = OwnUnlessGiven(dict, label="Keyword arguments")
    at = WallClockField(label="At", required=False)
    children = forms.BooleanField(
        label="With the jobs after it",
        required=False,
        help_text="They follow this run, by their own rules; those that are paused are left out.",
    )

    def __init__(self, job: Job, now: datetime, data: Any = None, *, shows_arguments: bool) -> None:
        own = {"args": job.args, "kwargs": job.kwargs} if shows_arguments else {"args": "", "kwargs": ""}
        super().__init__(data, initial=own)
        self.zone, self.now = zone_of(job.timezone), now
        hidden = "" if shows_arguments else " They are not shown, because you may not change the job."
        for name, empty in (("args", "[]"), ("kwargs", "{}")):
            self.fields[name].help_text = f"Empty means the job's own.{hidden} To give none, write {empty}."
        if not job.downstreams.exists():
            del self.fields["children"]
        clock = f"{self.zone}, where it is now {write_wall_clock(now, self.zone)}"
        self.fields["at"].help_text = f"Empty means at once. In the job's time zone: {clock}."

    def clean_at(self) -> datetime | None:
        at = read_wall_clock(self.cleaned_data["at"], self.zone)
        if at is not None and at <= self.now:
            raise ValidationError("This has passed; leave it empty to run the job at once.")
        return at


class RunWithAdmin(OperationsAdmin):
    """The page of a job, with a button that leads to the form."""

    change_form_template = "admin/jobs/job_change_form.html"

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        view = self.admin_site.admin_view(self.run_with_view)
        return [path("<path:object_id>/run-with/", view, name="jobs_job_run_with"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        job = context.get("original")
        if job and self.has_trigger_permission(request):
            context["run_with"] = {"label": LABEL, "url": self._address("run_with", job)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_trigger_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.trigger_job")

    def run_with_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form, and by POST the run; with the permission to run the job and that to see it."""
        if request.method not in ("GET", "POST"):
            return HttpResponseNotAllowed(["GET", "POST"])
        if not self.has_trigger_permission(request) or not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, unquote(object_id))
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        data = request.POST if request.method == "POST" else None
        form = RunWithForm(job, database_now(), data, shows_arguments=self.has_change_permission(request, job))
        if form.is_valid() and self._made(request, job, form):
            return HttpResponseRedirect(self._address("change", job))
        return self._page(request, job, form)

    def _made(self, request: HttpRequest, job: Job, form: RunWithForm) -> bool:
        """Make the run, log and tell it; false when it was refused, and the form says why."""
        operation = Operation("run_with", LABEL, "trigger", lambda job, _: run_with(job, form), lambda _: True)
        try:
            self.operate(request, operation, [job])
        except trigger.RequestRefused as refused:
            form.add_error(refused.field, refused.why)
        return form.is_valid()

    def _page(self, request: HttpRequest, job: Job, form: RunWithForm) -> HttpResponse:
        fields = AdminForm(form, [(None, {"fields": list(form.fields)})], {}, model_admin=self)  # type: ignore[arg-type]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Run {job} with other arguments, or later",
            "opts": self.opts,
            "original": job,
            "adminform": fields,
            "errors": form.errors,
            "back": self._address("change", job),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/jobs/run_with.html", context)


def run_with(job: Job, form: RunWithForm) -> Told:
    """Make the run that the form asks for. Raises RequestRefused."""
    try:
        run = trigger.run(job.pk, database_now(), **{name: form.cleaned_data[name] for name in form.fields})
    except Job.DoesNotExist:
        return Told.lost("nothing was run, the job has been deleted")
    if run.state == State.SKIPPED:
        return Told.partly(f"skipped, because {run.reason}", run)
    if form.cleaned_data["at"]:
        return Told.done(f"a run was made for {write_wall_clock(run.due_at, form.zone)} ({form.zone})", run)
    if run.state == State.WAITING:
        return Told.partly(f"a run was made; it {run.reason}", run)
    return Told.done("a run was made and starts as soon as a worker is free", run)
