"""The list of runs: its filters and its search, all along the indexes of the ledger."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest

from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import LIVE, State

HEAVY = ("args", "kwargs", "result", "error", "traceback", "job__args", "job__kwargs", "job__description", "job__error")
"""Columns that may be long and that the list does not show."""

SHOWN_ERROR = 200

PERIODS = {
    "hour": ("Past hour", timedelta(hours=1)),
    "day": ("Past 24 hours", timedelta(days=1)),
    "week": ("Past 7 days", timedelta(days=7)),
    "month": ("Past 30 days", timedelta(days=30)),
}


def first_id_since(when: datetime) -> UUID:
    """The lowest id that a run made at this moment can have: ids begin with their time (RFC 9562, version 7)."""
    return UUID(int=int(when.timestamp() * 1000) << 80)


class StateFilter(admin.SimpleListFilter):
    """Runs by their state, as people call it."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("live", "Not ended"), *State.choices[:1], ("retrying", "Retrying"), *State.choices[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "live":
            return queryset.filter(state__in=sorted(LIVE))
        if self.value() == "retrying":
            return queryset.filter(state=State.SCHEDULED, attempt__gt=1)
        if self.value() in State.values:
            return queryset.filter(state=self.value())
        return queryset


class MadeFilter(admin.SimpleListFilter):
    """Runs by when they were made, which their ids tell, so that the primary key's index answers."""

    title = "date made"
    parameter_name = "made"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, word) for name, (word, _) in PERIODS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        period = PERIODS.get(self.value() or "")
        return queryset.filter(pk__gte=first_id_since(database_now() - period[1])) if period else queryset


class JobFilter(admin.SimpleListFilter):
    """Runs of one job, which is looked for as one types."""

    title = "job"
    parameter_name = "job__id__exact"
    template = "admin/jobs/job_filter.html"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self._widget = job_widget(model_admin.admin_site)
        self._seen = model_admin.admin_site.get_model_admin(Job).has_view_permission(request)

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return bool(self._seen)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(job_id=self._job_id()) if self.value() else queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        others = {name: value for name, value in changelist.params.items() if name != self.parameter_name}
        yield {
            "select": self._widget.render(self.parameter_name, self._job_id(), {"id": "job-filter"}),
            "others": others,
            "chosen": bool(self.value()),
            "everything": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def _job_id(self) -> int | None:
        text = self.value() or ""
        return int(text) if text.isdecimal() and len(text) < 19 else None


def job_widget(site: admin.AdminSite) -> AutocompleteSelect:
    """The field that finds a job by a part of its name."""
    field = Run._meta.get_field("job")
    widget = AutocompleteSelect(field, site, attrs={"data-placeholder": "Find a job"})
    widget.choices = forms.ModelChoiceField(Job.objects.only("name"), required=False).choices
    return widget


class RunList(ChangeList):
    """One page of runs, without their long columns."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        runs = super().get_queryset(request, exclude_parameters).defer(*HEAVY)
        shown: QuerySet[Any] = runs.annotate(error_begins=Left("error", SHOWN_ERROR))
        return shown
