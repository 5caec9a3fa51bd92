"""Writing calendars: whatever changes one, in whichever way, marks its jobs for planning."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest, Now

from jobs.querysets import replanning

if TYPE_CHECKING:
    from jobs.models.calendar import Calendar
else:
    Calendar = Any

MICROSECOND = timedelta(microseconds=1)


def later() -> Any:
    """What `updated_at` becomes: never a value that it has had before, whoever writes at the same time."""
    return Greatest(Now(), F("updated_at") + MICROSECOND)


class CalendarQuerySet(QuerySet["Calendar"]):
    """Calendars."""

    def light(self) -> Self:
        """Without what may be long: it is read when it is needed."""
        return self.defer("ical", "description")

    def update(self, **values: Any) -> int:
        """As Django's; the calendars' jobs are marked for planning."""
        with transaction.atomic():
            ids = list(self.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
            updated = super().update(**({"updated_at": later()} | values))
            _replan(self.model, ids)
        return updated

    update.alters_data = True  # type: ignore[attr-defined]


class PartQuerySet(QuerySet[Any]):
    """Parts of calendars, such as freezes."""

    def update(self, **values: Any) -> int:
        """As Django's; it changes the calendars."""
        with transaction.atomic():
            before = self._calendars()
            updated = super().update(**values)
            touch(self.model, before | {_pk(values[name]) for name in ("calendar", "calendar_id") if name in values})
        return updated

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        """As Django's; it changes the calendars."""
        with transaction.atomic():
            before = self._calendars()
            deleted = super().delete()
            touch(self.model, before)
        return deleted

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """As Django's; it changes the calendars."""
        parts = list(objs)
        with transaction.atomic():
            made = super().bulk_create(parts, *args, **kwargs)
            touch(self.model, {part.calendar_id for part in parts})
        return made

    def _calendars(self) -> set[int]:
        return set(self.order_by().values_list("calendar_id", flat=True))


def touch(part: type[models.Model], calendars: Collection[int]) -> None:
    """Say that calendars have changed, because a part of theirs has."""
    model: Any = part._meta.get_field("calendar").related_model
    if calendars:
        model.objects.filter(pk__in=calendars).update()


def _pk(calendar: Any) -> int:
    pk: int = getattr(calendar, "pk", calendar)
    return pk


def _replan(calendars: type[models.Model], ids: Collection[int]) -> None:
    model: Any = calendars._meta.get_field("jobs").related_model
    jobs = model.objects.filter(calendar__in=ids)
    # Locked in the order in which everybody locks several jobs; the update alone would take them as they come.
    list(jobs.order_by("pk").select_for_update().values_list("pk", flat=True))
    jobs.update(**replanning())
