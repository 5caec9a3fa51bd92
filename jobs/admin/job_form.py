"""The form of a job."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from jobs.admin.display import zone_names, zone_of
from jobs.admin.job_fields import JSONTextField, SuggestingInput
from jobs.admin.known_tasks import known_tasks
from jobs.admin.wall_clock import WallClockField, read_wall_clock, write_wall_clock
from jobs.models import Calendar, Job, Worker

BOUNDS = ("starts_at", "ends_at")


def known_queues() -> list[str]:
    """The queues that the live workers serve, sorted."""
    return sorted({str(queue) for queues in Worker.objects.values_list("queues", flat=True) for queue in queues})


class JobForm(forms.ModelForm):  # type: ignore[type-arg]
    """A job as a person writes it."""

    args = JSONTextField(
        list, label="Arguments", help_text='What the task is called with, in order, as a JSON list: ["a", 1].'
    )
    kwargs = JSONTextField(
        dict,
        label="Keyword arguments",
        help_text='What it is called with by name, as a JSON object: {"days": 7}. On the pages of runs the values of '
        "names such as password, token or key are hidden.",
    )
    starts_at = WallClockField(
        label="Starts", required=False, help_text="No tick before this moment, in the job's own time zone."
    )
    ends_at = WallClockField(
        label="Ends", required=False, help_text="No tick after this moment, in the job's own time zone."
    )

    class Meta:
        model = Job
        fields = "__all__"
        widgets = {
            "task": SuggestingInput(known_tasks, {"class": "vTextField cn-code cn-wide"}),
            "name": forms.TextInput({"class": "vTextField cn-wide"}),
            "schedule": forms.TextInput(
                {"class": "vTextField cn-code cn-wide", "autocomplete": "off", "spellcheck": "false"}
            ),
            "timezone": SuggestingInput(zone_names),
            "queue": SuggestingInput(known_queues),
            "description": forms.Textarea({"rows": 2, "class": "vLargeTextField"}),
        }
        labels = {"timezone": "Time zone", "keep": "Keep runs for"}
        help_texts = {
            "name": "How the job is called everywhere. Letters H in its schedule are worked out from it.",
            "task": "The registered name of a Celery task. Those that this site or a live worker knows are suggested.",
            "schedule": "When it runs; see the examples above.",
            "gap": "When the clock goes forward, a fixed time such as 02:30 may not exist that day.",
            "repeated": "When the clock goes back, a fixed time may come twice. Times with a * follow the clock.",
            "timezone": "The clock that the schedule follows, with its daylight saving: Europe/Riga.",
            "templated": "Fill in when a run starts: {scheduled_for}, {previous}, {interval_start} and {interval_end}, "
            "in the job's time zone and as {scheduled_for:%Y-%m-%d} if wanted; {attempt}, {shard}, {job} and {run}. "
            "A brace that is meant is written {{ or }}.",
            "enabled": "Clear this to pause the job: it makes no ticks until it is enabled again.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            # What counts as changed is told from the job itself, not from a copy in the page.
            field.show_hidden_initial = False
        if "calendar" in self.fields:
            self.fields["calendar"].queryset = Calendar.objects.light()  # type: ignore[attr-defined]
        zone = zone_of(self.instance.timezone)
        for name in BOUNDS:
            if name in self.fields and getattr(self.instance, name) is not None:
                self.initial[name] = write_wall_clock(getattr(self.instance, name), zone)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        zone = zone_of(str(cleaned.get("timezone", "")))
        for name in self._bounds_given():
            cleaned[name] = self._read_bound(name, cleaned, zone)
        return cleaned

    def _bounds_given(self) -> Iterable[str]:
        return [name for name in BOUNDS if name in self.cleaned_data]

    def _read_bound(self, name: str, cleaned: dict[str, Any], zone: tzinfo) -> datetime | None:
        if not {name, "timezone"} & set(self.changed_data):
            # Read again, a moment in an hour that the clock repeats could come out an hour away.
            moment: datetime | None = getattr(self.instance, name)
            return moment
        try:
            return read_wall_clock(cleaned[name], zone)
        except ValidationError as error:
            self.add_error(name, error)
            return None
