"""The page of calendars: what blocks, what comes next, and who goes by it."""

from itertools import islice
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Count, ProtectedError, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.admin.calendar_form import BlackoutForm, CalendarForm, FreezeForm, FreezeFormSet
from jobs.admin.display import NOTHING, relative
from jobs.models import Blackout, Calendar, Freeze

MOST_COMING = 10
MOST_NAMED = 20

WHAT = (None, {"fields": ("name", "description", "timezone")})
BUSINESS = (
    "Holidays and business days",
    {"fields": ("countries", "weekend"), "description": "Holidays block from midnight to midnight; weekends do not."},
)
IMPORTED = ("Imported events", {"fields": ("imported", "ical", "forget")})
IMPORTED_SHOWN = ("Imported events", {"fields": ("imported",)})
NOW = ("Now", {"fields": ("coming", "used_by")})


class OfCalendar(admin.TabularInline):  # type: ignore[type-arg]
    """Parts of a calendar: who may change it may change them."""

    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("jobs.view_calendar") or self.has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("jobs.change_calendar" if obj else "jobs.add_calendar")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


class FreezeInline(OfCalendar):
    """Its freezes."""

    model = Freeze
    form = FreezeForm
    formset = FreezeFormSet
    verbose_name_plural = "freezes, in the calendar's time zone"


class BlackoutInline(OfCalendar):
    """Its blackouts."""

    model = Blackout
    form = BlackoutForm
    verbose_name_plural = "blackouts, which come again and again"


@admin.register(Calendar)
class CalendarAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """When jobs do not run, and which days are business days."""

    form = CalendarForm
    inlines = (FreezeInline, BlackoutInline)
    list_display = ("name", "timezone", "countries", "blocks", "number_of_jobs")
    search_fields = ("name",)
    actions = None
    readonly_fields = ("coming", "used_by", "imported")

    class Media:
        css: ClassVar = {"all": ["jobs/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        calendars: QuerySet[Any] = super().get_queryset(request).defer("ical", "description")
        counted: QuerySet[Any] = calendars.annotate(now=Now(), job_count=Count("jobs"))
        return counted

    def get_fieldsets(self, request: HttpRequest, obj: Calendar | None = None) -> Any:
        if obj is None:
            return (WHAT, BUSINESS, ("Imported events", {"fields": ("ical",)}))
        imported = IMPORTED if self.has_change_permission(request, obj) else IMPORTED_SHOWN
        return (NOW, WHAT, BUSINESS, imported)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's page; a calendar that jobs go by stays, and the message tells why."""
        calendar = self.get_object(request, unquote(object_id))
        if calendar is not None and self.has_delete_permission(request, calendar) and calendar.job_count:
            return self._refused(request, calendar)
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:  # by a job that has come meanwhile
            return self._refused(request, calendar)

    def _refused(self, request: HttpRequest, calendar: Any) -> HttpResponse:
        why = f"The calendar {calendar} cannot be deleted, because {_users(calendar)} by it. "
        self.message_user(request, f"{why}Choose another one there first.", messages.ERROR)
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:jobs_calendar_change", args=[calendar.pk]))

    @admin.display(description="Jobs", ordering="job_count")
    def number_of_jobs(self, calendar: Any) -> str:
        return f"{calendar.job_count:,}"

    @admin.display(description="Blocks next")
    def blocks(self, calendar: Any) -> SafeString:
        try:
            block = next(calendar.value().coming(calendar.now), None)
        except ValueError as error:
            return format_html('<span class="cn-error">{}</span>', error)
        if block is None:
            return SafeString(NOTHING)
        when = "now" if block.start is None or block.start <= calendar.now else relative(block.start, calendar.now)
        return format_html("{} ({})", block.reason, when)

    @admin.display(description="Blocks next")
    def coming(self, calendar: Any) -> str:
        try:
            value = calendar.value()
            blocks = list(islice(value.coming(calendar.now), MOST_COMING))
        except ValueError as error:
            return format_html('<span class="cn-error">{}</span>', error)
        rows = [
            {
                "start": value.told(block.start) if block.start else "more than a year ago",
                "end": value.told(block.end) if block.end else "in more than a year",
                "reason": block.reason,
            }
            for block in blocks
        ]
        return render_to_string("admin/jobs/blocks.html", {"blocks": rows})

    @admin.display(description="Used by")
    def used_by(self, calendar: Any) -> str:
        return render_to_string(
            "admin/jobs/calendar_jobs.html",
            {"jobs": calendar.jobs.only("pk", "name")[:MOST_NAMED], "more": calendar.job_count - MOST_NAMED},
        )

    @admin.display(description="File")
    def imported(self, calendar: Any) -> str:
        text = calendar.ical if calendar is not None and calendar.pk else ""
        if not text:
            return NOTHING
        events = text.upper().count("BEGIN:VEVENT")
        return f"{events:,} event{'s' * (events != 1)}, {len(text.encode()):,} bytes"


def _users(calendar: Any) -> str:
    names = list(calendar.jobs.values_list("name", flat=True)[: MOST_NAMED + 1])
    if len(names) == 1:
        return f"the job {names[0]} goes"
    more = f" and {calendar.job_count - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"the jobs {', '.join(names[:MOST_NAMED])}{more} go"
