"""The page "Next tick…": skip, move or change one occurrence of a job, run it early, and take that back."""

from typing import Any

from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from jobs import adjust
from jobs.admin.adjust_form import AdjustForm, perform
from jobs.admin.adjust_rows import MOST_LISTED, adjustment_rows, coming
from jobs.admin.display import zone_of
from jobs.admin.operations import Operation, OperationsAdmin, Told
from jobs.clock import database_now
from jobs.models import Adjustment, Job, Run
from jobs.states import State
from jobs.tick_rules.adjustments import told_of, written
from jobs.trigger import RequestRefused

LABEL = "Next tick…"


class AdjustAdmin(OperationsAdmin):
    """The page of a job, with a button that leads to its next ticks."""

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        page, back = self.admin_site.admin_view(self.adjust_view), self.admin_site.admin_view(self.take_back_view)
        return [
            path("<path:object_id>/next-tick/", page, name="jobs_job_adjust"),
            path("<path:object_id>/next-tick/<int:adjustment>/take-back/", back, name="jobs_job_take_back"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        job = context.get("original")
        if job and self.has_adjust_permission(request):
            context["adjust"] = {"label": LABEL, "url": self._address("adjust", job)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_adjust_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.adjust_job")

    def adjust_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The next ticks, the form and the history; by POST a decision."""
        if request.method not in ("GET", "POST"):
            return HttpResponseNotAllowed(["GET", "POST"])
        job = self._adjustable(request, object_id)
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        data = request.POST if request.method == "POST" else None
        form = AdjustForm(job, coming(job), database_now(), data, may_run=request.user.has_perm("jobs.trigger_job"))
        if form.is_valid() and self._decided(request, job, form):
            return HttpResponseRedirect(self._address("adjust", job))
        return self._adjust_page(request, job, form)

    def take_back_view(self, request: HttpRequest, object_id: str, adjustment: int) -> HttpResponse:
        """Take one back, by POST."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job = self._adjustable(request, object_id)
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]

        def take_back(job: Job, operator: Any) -> Told:
            return _taken_back(job, adjustment, operator.name)

        self.operate(request, Operation("take_back", "Taken back", "adjust", take_back, lambda _: True), [job])
        return HttpResponseRedirect(self._address("adjust", job))

    def _adjustable(self, request: HttpRequest, object_id: str) -> Job | None:
        if not self.has_adjust_permission(request) or not self.has_view_permission(request):
            raise PermissionDenied
        job: Job | None = self.get_object(request, unquote(object_id))
        return job

    def _decided(self, request: HttpRequest, job: Job, form: AdjustForm) -> bool:
        """Do it, log and tell it; false when it was refused, and the form says why."""

        def decide(job: Job, operator: Any) -> Told:
            return _told(job, perform(job, form.cleaned_data, operator.name, database_now()))

        try:
            self.operate(request, Operation("adjust", "Next tick", "adjust", decide, lambda _: True), [job])
        except RequestRefused as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.why)
        except Job.DoesNotExist:
            form.add_error(None, "Nothing was changed, the job has been deleted.")
        return form.is_valid()

    def _adjust_page(self, request: HttpRequest, job: Job, form: AdjustForm) -> HttpResponse:
        rows = adjustment_rows(job, database_now(), shows_arguments=self.has_change_permission(request, job))
        context = {
            **self.admin_site.each_context(request),
            "title": f"The next ticks of {job}",
            "opts": self.opts,
            "original": job,
            "adminform": AdminForm(form, [(None, {"fields": form.shown})], {}, model_admin=self),  # type: ignore[arg-type]
            "errors": form.errors,
            "ticks": bool(form.fields["tick"].choices),  # type: ignore[attr-defined]
            "zone": zone_of(job.timezone),
            "rows": [(row, self._address("take_back", job, str(row.pk))) for row in rows],
            "most": MOST_LISTED if len(rows) == MOST_LISTED else None,
            "back": self._address("change", job),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/jobs/adjust.html", context)


def _told(job: Job, made: Adjustment | Run) -> Told:
    zone = zone_of(job.timezone)
    if isinstance(made, Adjustment):
        return Told.done(f"the tick of {written(made.first, zone)} is {told_of(made, zone)}")
    when = written(made.scheduled_for, zone)
    if made.state == State.WAITING:
        return Told.partly(f"the run of {when} was made; it {made.reason}", made)
    return Told.done(f"the run of {when} was made and starts as soon as a worker is free", made)


def _taken_back(job: Job, adjustment_id: int, by: str) -> Told:
    try:
        known = job.adjustments.get(pk=adjustment_id)
        adjust.take_back(known.pk, database_now(), by=by)
    except Adjustment.DoesNotExist:
        return Told.lost("nothing changed, there is no such decision for this job")
    except RequestRefused as refused:
        return Told.lost(f"nothing changed: {refused.why}")
    return Told.done(f"the tick of {written(known.first, zone_of(job.timezone))} runs as it would have")
