"""The forms of a calendar and of its freezes and blackouts."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from jobs.admin.display import zone_names, zone_of
from jobs.admin.job_fields import SuggestingInput
from jobs.admin.wall_clock import WallClockField, read_wall_clock, write_wall_clock
from jobs.calendars.events import MOST_BYTES
from jobs.models import Blackout, Calendar, Freeze

BOUNDS = ("starts_at", "ends_at")


class CalendarForm(forms.ModelForm):  # type: ignore[type-arg]
    """A calendar; the imported file is kept as its text."""

    ical = forms.FileField(
        label="Import an iCalendar file",
        required=False,
        widget=forms.FileInput({"accept": ".ics,text/calendar"}),
        help_text="Its events block, in all their recurrences, and days that they cover wholly are no business days. "
        "At most 1 MB; it takes the place of the one that is there.",
    )
    forget = forms.BooleanField(label="Remove the imported file", required=False)

    class Meta:
        model = Calendar
        fields = ("name", "description", "timezone", "countries", "weekend", "ical")
        widgets = {
            "timezone": SuggestingInput(zone_names),
            "description": forms.Textarea({"rows": 2, "class": "vLargeTextField"}),
        }

    def clean_ical(self) -> str:
        given = self.cleaned_data["ical"]
        if given is None or isinstance(given, str):
            kept: str = self.instance.ical
            return kept
        if given.size > MOST_BYTES:
            raise ValidationError(f"{given.name} has {given.size:,} bytes; allowed are {MOST_BYTES:,} (1 MB).")
        try:
            text: str = given.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationError(f"{given.name} is not text in UTF-8, so it is no iCalendar file.") from error
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("forget"):
            if "ical" in self.changed_data:
                self.add_error("forget", "Either import a file or remove the one that is there.")
            # Here, because an empty value of a field that was left out of the form counts as not given.
            cleaned["ical"] = self.instance.ical = ""
        return cleaned


class FreezeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A freeze, with its times as the clocks of the calendar's zone show them."""

    starts_at = WallClockField(label="From")
    ends_at = WallClockField(label="Until")

    class Meta:
        model = Freeze
        fields = ("starts_at", "ends_at", "reason")

    def __init__(self, *args: Any, timezone: str = "UTC", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone_of(timezone)
        for name in BOUNDS:
            if name in self.fields and getattr(self.instance, name) is not None:
                self.initial[name] = write_wall_clock(getattr(self.instance, name), self.zone)

    def clean_starts_at(self) -> datetime | None:
        return self._read("starts_at")

    def clean_ends_at(self) -> datetime | None:
        return self._read("ends_at")

    def _read(self, name: str) -> datetime | None:
        if name not in self.changed_data:
            # Read again, a moment in an hour that the clock repeats could come out an hour away.
            moment: datetime | None = getattr(self.instance, name)
            return moment
        return read_wall_clock(self.cleaned_data[name], self.zone)


class FreezeFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The freezes of a calendar, in its zone as the form has it."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "timezone": self.instance.timezone}


class BlackoutForm(forms.ModelForm):  # type: ignore[type-arg]
    """A blackout."""

    class Meta:
        model = Blackout
        fields = ("schedule", "minutes", "reason")
        widgets = {
            "schedule": forms.TextInput({"class": "vTextField cn-code", "autocomplete": "off", "spellcheck": "false"})
        }
