"""Moments that are typed as the clock on the job's wall shows them."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""The years in which schedules have fire times."""


def read_wall_clock(text: str, zone: tzinfo) -> datetime | None:
    """The moment, in UTC, at which the clocks of the zone show the text; one with an offset means itself.

    None for an empty text; ValidationError says how to write it.
    """
    if not text.strip():
        return None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValidationError(f"{text.strip()!r} is not understood; write it as 2027-01-31 09:00.") from error
    if not FIRST_YEAR <= read.year <= LAST_YEAR:
        raise ValidationError(f"The year must be in {FIRST_YEAR}-{LAST_YEAR}.")
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def write_wall_clock(moment: datetime | None, zone: tzinfo) -> str:
    """The text for the form."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment else ""


class WallClockField(forms.CharField):
    """The text of a moment. Its form reads it, as only that knows the zone."""

    def __init__(self, **options: Any) -> None:
        # A number of a model field's own options have no meaning for a text.
        kept = {name: options[name] for name in ("label", "help_text", "required", "initial") if name in options}
        attributes = {"placeholder": "2027-01-31 09:00", "class": "cn-moment", "autocomplete": "off"}
        super().__init__(max_length=40, widget=forms.TextInput(attributes), **kept)
