"""The form of the page "Next tick…": which tick, what to do with it, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect
from django.core.exceptions import ValidationError

from jobs import adjust
from jobs.admin.display import relative, zone_of
from jobs.admin.job_fields import OwnUnlessGiven
from jobs.admin.wall_clock import WallClockField, read_wall_clock, write_wall_clock
from jobs.models import Adjustment, Job
from jobs.models.choices import Adjust

FIELDS = ("tick", "action", "until", "args", "kwargs", "why")
ASKING = (Adjust.ARGUMENTS, Adjust.EARLY)
"""What only those may choose who may run the job."""

_LABELS = {
    Adjust.SKIP: "Skip it, or all ticks until the moment below",
    Adjust.SNOOZE: "Run it later, at the moment below",
    Adjust.ARGUMENTS: "Run it with other arguments, this once",
    Adjust.EARLY: "Run it now, and not again at its time",
}


class TickField(forms.ChoiceField):
    """One of the coming ticks. One that has gone by since the page was made is still read: the answer names it."""

    def to_python(self, value: Any) -> Any:
        try:
            read = datetime.fromisoformat(str(value))
        except ValueError:
            return None
        return None if read.tzinfo is None else read

    def validate(self, value: Any) -> None:
        if value is None:
            raise ValidationError("Choose a tick.")


class AdjustForm(forms.Form):
    """What to do with a tick."""

    tick = TickField(label="Tick")
    action = forms.ChoiceField(label="What", widget=AdminRadioSelect({"class": "radiolist"}))
    until = WallClockField(label="Until", required=False)
    args = OwnUnlessGiven(list, label="Arguments")
    kwargs = OwnUnlessGiven(dict, label="Keyword arguments")
    why = forms.CharField(max_length=500, label="Why", widget=forms.TextInput({"class": "vTextField cn-wide"}))

    def __init__(
        self, job: Job, ticks: Sequence["ComingTick"], now: datetime, data: Any = None, *, may_run: bool
    ) -> None:
        super().__init__(data, initial=_first_choice(ticks))
        self.zone = zone_of(job.timezone)
        self._fields["tick"].choices = [(tick.value, tick.label(now)) for tick in ticks]
        actions = [action for action in Adjust if may_run or action not in ASKING]
        self._fields["action"].choices = [(action.value, _LABELS[action]) for action in actions]
        clock = f"{self.zone}, where it is now {write_wall_clock(now, self.zone)}"
        self.fields["until"].help_text = f"When it runs instead, or up to when ticks are skipped. In {clock}."
        for name, empty in (("args", "[]"), ("kwargs", "{}")):
            self.fields[name].help_text = f"Empty means the job's own. To give none, write {empty}."
            if not may_run:
                del self.fields[name]
        self.fields["why"].help_text = "The ledger tells it, with your name."

    @property
    def _fields(self) -> dict[str, Any]:
        return self.fields

    @property
    def shown(self) -> list[str]:
        """The fields that there are, in order."""
        return [name for name in FIELDS if name in self.fields]

    def clean_until(self) -> datetime | None:
        return read_wall_clock(self.cleaned_data["until"], self.zone)

    def clean(self) -> dict[str, Any]:
        """What the choice does not ask for must be left empty, as it would be ignored."""
        cleaned = super().clean() or self.cleaned_data
        action = cleaned.get("action")
        if action == Adjust.SNOOZE and "until" in cleaned and cleaned["until"] is None:
            self.add_error("until", "Say when it runs instead.")
        if action in ASKING and cleaned.get("until") is not None:
            self.add_error("until", "This is for skipping and for running later; leave it empty.")
        for name in ("args", "kwargs"):
            if action and action != Adjust.ARGUMENTS and cleaned.get(name) is not None:
                self.add_error(name, "These are for running with other arguments; leave them empty.")
        return cleaned


class ComingTick:
    """A coming tick, and what somebody has decided for it."""

    def __init__(self, at: datetime, adjustment: Adjustment | None) -> None:
        self.at, self.adjustment = at, adjustment
        self.value = at.astimezone(UTC).isoformat()

    def label(self, now: datetime) -> str:
        decided = f" ({self.adjustment.get_action_display().lower()})" if self.adjustment else ""
        return f"{self.at:%a %Y-%m-%d %H:%M:%S %Z}, {relative(self.at, now)}{decided}"


def _first_choice(ticks: Sequence[ComingTick]) -> dict[str, Any]:
    free = (tick.value for tick in ticks if tick.adjustment is None)
    return {"tick": next(free, None), "action": Adjust.SKIP.value}


def perform(job: Job, cleaned: dict[str, Any], by: str, now: datetime) -> Any:
    """Do what the form asks: the adjustment, or the run that was made early. Raises RequestRefused."""
    asked: dict[str, Any] = {"by": by, "why": cleaned["why"], "tick": cleaned["tick"]}
    match cleaned["action"]:
        case Adjust.SKIP:
            return adjust.skip(job.pk, now, until=cleaned["until"], **asked)
        case Adjust.SNOOZE:
            return adjust.snooze(job.pk, now, until=cleaned["until"], **asked)
        case Adjust.ARGUMENTS:
            return adjust.give_arguments(job.pk, now, args=cleaned["args"], kwargs=cleaned["kwargs"], **asked)
    return adjust.run_early(job.pk, now, **asked)
