"""The page "Canary…" of a job: start one, see how it does beside the others, promote it or revert it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from jobs import canaries
from jobs.admin.display import NOTHING, badge, duration, moment, zone_of
from jobs.admin.job_fields import OwnUnlessGiven, SuggestingInput
from jobs.admin.job_form import known_queues
from jobs.admin.known_tasks import known_tasks
from jobs.admin.masking import masked_json
from jobs.admin.operations import Operation, OperationsAdmin, Told
from jobs.clock import database_now
from jobs.models import Canary, Job
from jobs.models.choices import CanaryState
from jobs.models.validate_canary import changes_of
from jobs.policies.canary import Figures

LABEL = "Canary…"
MOST_SHOWN = 20
NAMES = {"queue": "Queue", "task": "Task", "args": "Arguments", "kwargs": "Keyword arguments", "timeout": "Timeout"}
WHAT = ("percent", "queue", "task", "args", "kwargs", "timeout")
WHEN = ("least_runs", "failure_margin", "duration_margin")
KINDS = {CanaryState.RUNNING: "running", CanaryState.PROMOTED: "succeeded", CanaryState.REVERTED: "failed"}


class CanaryForm(forms.ModelForm):  # type: ignore[type-arg]
    """What to try, on how many ticks, and when it counts as worse. What is left empty is as the job has it."""

    args = OwnUnlessGiven(list, label="Arguments", help_text="Empty means the job's own; to give none, write [].")
    kwargs = OwnUnlessGiven(
        dict, label="Keyword arguments", help_text="Empty means the job's own; to give none, write {}."
    )

    class Meta:
        model = Canary
        fields = (*WHAT, *WHEN)
        widgets = {"queue": SuggestingInput(known_queues), "task": SuggestingInput(known_tasks)}
        labels = {"percent": "Per cent of the ticks", "least_runs": "Judged after", "task": "Task"}


class RevertForm(forms.Form):
    """Why a person ends it."""

    why = forms.CharField(
        label="Why", max_length=500, required=False, widget=forms.TextInput({"placeholder": "reason"})
    )


class CanaryAdmin(OperationsAdmin):
    """The page of a job, with a button that leads to its canaries."""

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        view = self.admin_site.admin_view(self.canary_view)
        return [path("<path:object_id>/canary/", view, name="jobs_job_canary"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if job := context.get("original"):
            context["canary"] = {"label": LABEL, "url": self._address("canary", job)}
        return super().render_change_form(request, context, *args, **kwargs)

    def canary_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What there is, for who may see the job; by POST a start or an end, for who may change it."""
        if request.method not in ("GET", "POST"):
            return HttpResponseNotAllowed(["GET", "POST"])
        job = self.get_object(request, unquote(object_id)) if self.has_view_permission(request) else None
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if request.method == "POST":
            return self._canary_posted(request, job)
        return self._canary_page(request, job, CanaryForm())

    def _canary_posted(self, request: HttpRequest, job: Job) -> HttpResponse:
        if not self.has_change_permission(request, job):
            raise PermissionDenied
        form = CanaryForm()
        if "end" in request.POST:
            self._canary_end(request, job)
        else:
            form = CanaryForm(request.POST, instance=Canary(job=job))
            if not form.is_valid() or not self._canary_started(request, job, form):
                return self._canary_page(request, job, form)
        return HttpResponseRedirect(self._address("canary", job))

    def _canary_started(self, request: HttpRequest, job: Job, form: CanaryForm) -> bool:
        def start(_: Job, __: Any) -> Told:
            canary = canaries.start(form.instance, request.user.get_username())
            return Told.done(f"{_part(canary)} from the next one on")

        try:
            self.operate(request, Operation("canary", "Canary started", "change", start, lambda _: True), [job])
        except ValidationError as refused:
            form.add_error(None, refused)
        return form.is_valid()

    def _canary_end(self, request: HttpRequest, job: Job) -> None:
        canary = Canary.objects.filter(job=job, pk=_number(request.POST.get("canary", ""))).first()
        label = "Canary promoted" if request.POST["end"] == "promote" else "Canary reverted"
        form = RevertForm(request.POST)
        why = form.cleaned_data["why"] if form.is_valid() else request.POST.get("why", "")[:500]

        def end(_: Job, operator: Any) -> Told:
            if canary is None:
                return Told.lost("nothing changed, there is no such canary")
            if request.POST["end"] == "promote":
                return _promoted(canary, operator.name)
            return _reverted(canary, operator.name, why)

        self.operate(request, Operation("canary", label, "change", end, lambda _: True), [job])

    def _canary_page(self, request: HttpRequest, job: Job, form: CanaryForm) -> HttpResponse:
        sets = [(None, {"fields": list(WHAT)}), ("When it counts as worse", {"fields": list(WHEN)})]
        shown = [Shown.of(canary, job) for canary in job.canaries.all()[:MOST_SHOWN]]
        running = next((one for one in shown if one.canary.state == CanaryState.RUNNING), None)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Canary of {job}",
            "opts": self.opts,
            "original": job,
            "adminform": AdminForm(form, sets, {}, model_admin=self),
            "errors": form.errors,
            "back": self._address("change", job),
            "running": running,
            "history": [one for one in shown if one is not running],
            "may_change": self.has_change_permission(request, job),
            "revert": RevertForm(),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/jobs/canary.html", context)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0


def _promoted(canary: Canary, by: str) -> Told:
    try:
        promoted = canaries.promote(canary, by, database_now())
    except ValidationError as refused:
        said = "; ".join(f"{field}: {' '.join(words)}" for field, words in refused.message_dict.items())
        return Told.lost(f"nothing changed, the job would not make sense with it ({said})")
    if promoted:
        return Told.done("the job has its definition now, and all ticks run by it")
    return Told.lost("nothing changed, it had ended already")


def _reverted(canary: Canary, by: str, why: str) -> Told:
    if canaries.revert(canary, by, why, database_now()):
        return Told.done("all ticks run as the job says")
    return Told.lost("nothing changed, it had ended already")


def _part(canary: Canary) -> str:
    return f"{canary.percent} % of the ticks go to it" if canary.percent else "one shard of each tick goes to it"


@dataclass(frozen=True, slots=True)
class Shown:
    """A canary as the page tells of it. Of one that has ended the figures are in its reason."""

    canary: Canary
    badge: str
    part: str
    began: str
    ended: str
    definition: Sequence[tuple[str, str]]
    figures: Sequence[tuple[str, str, str]]

    @classmethod
    def of(cls, canary: Canary, job: Job) -> "Shown":
        """With its figures, if it runs."""
        zone = zone_of(job.timezone)
        return cls(
            canary,
            badge(KINDS[CanaryState(canary.state)], canary.get_state_display()),
            _part(canary),
            moment(canary.created_at, zone),
            moment(canary.finished_at, zone),
            [(NAMES[name], _told(value)) for name, value in changes_of(canary).items()],
            _figures(canaries.compare(canary)) if canary.state == CanaryState.RUNNING else (),
        )


def _told(value: Any) -> str:
    return masked_json(value) if isinstance(value, (list, dict)) else str(value)


def _figures(found: canaries.Comparison) -> list[tuple[str, str, str]]:
    sides = (found.canary, found.others)
    rows = {
        "Runs finished": [f"{side.runs:,}" for side in sides],
        "Failed": [f"{side.failed:,}" for side in sides],
        "Failure rate": [f"{float(side.rate) * 100:.3g} %" if side.runs else NOTHING for side in sides],
        "Median duration": [_median(side) for side in sides],
    }
    return [(name, own, others) for name, (own, others) in rows.items()]


def _median(side: Figures) -> str:
    return NOTHING if side.median is None else duration(timedelta(seconds=side.median))
