"""What the pages tell of a job: the columns of the list and the read-only fields of the form."""

from typing import Any

from django.contrib import admin
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.admin.circuit import circuit_badge
from jobs.admin.display import (
    NOTHING,
    badge,
    breakable,
    in_short,
    moment,
    relative,
    state_badge,
    two_lines,
    with_under,
    zone_of,
)
from jobs.admin.masking import masked_json
from jobs.admin.preview import Question, preview
from jobs.admin.wall_clock import write_wall_clock
from jobs.models import Job
from jobs.models.choices import Circuit


def condition(job: Job) -> SafeString:
    """How a job is, in one word."""
    if job.error:
        return badge("failed", "Set aside", "it makes no ticks until it is edited")
    if not job.enabled:
        return badge("held", "Paused", "it makes no ticks until it is resumed")
    if job.circuit != Circuit.CLOSED:
        return circuit_badge(job)
    if not job.planned:
        return badge("queued", "Planning", "new or edited; the beat works out its next tick within a second")
    if job.next_run_at is None:
        return _without_ticks(job)
    return badge("succeeded", "Enabled", "it makes ticks")


def _without_ticks(job: Job) -> SafeString:
    if job.schedule.strip().lower() == "@after":
        return badge("succeeded", "After others", "it has no ticks of its own: it runs after other jobs, or by hand")
    return badge("skipped", "No ticks left", "its schedule has no fire time any more, or its end has passed")


def in_words(job: Job) -> str:
    """The schedule in English, or what is wrong with it."""
    try:
        return job.parsed_schedule().describe()
    except ValueError as error:
        return str(error)


class JobColumns:
    """To be mixed into the page of jobs. A `job` has `now` by the database's clock, and in the list `recent`."""

    @admin.display(description="Job", ordering="name")
    def named(self, job: Job) -> SafeString:
        return with_under(job.name, breakable(job.task))

    @admin.display(description="State")
    def state(self, job: Job) -> SafeString:
        if not job.error:
            return condition(job)
        return format_html(
            '{}<span class="cn-under" title="{}">{}</span>', condition(job), job.error, in_short(job.error)
        )

    @admin.display(description="Schedule")
    def when(self, job: Job) -> SafeString:
        written = format_html("<code>{}</code> {}", job.schedule, job.timezone)
        return with_under(in_words(job), written)

    @admin.display(description="Next run", ordering="next_run_at")
    def next_run(self, job: Any) -> SafeString:
        if job.next_run_at is None or not job.enabled:
            return SafeString(NOTHING)
        return two_lines(job.next_run_at, zone_of(job.timezone), relative(job.next_run_at, job.now))

    @admin.display(description="Last result")
    def last_result(self, job: Any) -> SafeString:
        run = job.recent.last
        if run is None:
            return SafeString(NOTHING)
        address = reverse("admin:jobs_run_change", args=[run.id])
        link = format_html('<a href="{}" title="{}">{}</a>', address, run.why, state_badge(run.state))
        return with_under(link, relative(run.finished_at, job.now))

    @admin.display(description="Success")
    def success(self, job: Any) -> str:
        return render_to_string("admin/jobs/success.html", {"recent": job.recent})

    @admin.display(description="Preview")
    def upcoming(self, job: Any) -> str:
        if job is None or job.pk is None:
            return render_to_string("admin/jobs/live_preview.html", {})
        zone = zone_of(job.timezone)
        question = Question(
            job.schedule,
            job.timezone,
            job.name,
            write_wall_clock(job.starts_at, zone),
            write_wall_clock(job.ends_at, zone),
            job.gap,
            job.repeated,
            str(job.calendar_id or ""),
            job.on_calendar,
            str(job.jitter),
        )
        return render_to_string("admin/jobs/live_preview.html", {"shown": preview(question, job.now)})

    @admin.display(description="State")
    def condition_told(self, job: Job) -> SafeString:
        why = job.error or (job.circuit_reason if job.enabled and job.circuit != Circuit.CLOSED else "")
        return format_html('{}<p class="cn-error">{}</p>', condition(job), why) if why else condition(job)

    @admin.display(description="Next run")
    def next_run_told(self, job: Any) -> SafeString:
        return moment(job.next_run_at if job.enabled else None, zone_of(job.timezone), job.now)

    @admin.display(description="Latest runs")
    def latest(self, job: Any) -> str:
        return render_to_string(
            "admin/jobs/latest.html", {"job": job, "recent": job.recent, "zone": zone_of(job.timezone)}
        )

    @admin.display(description="Changed")
    def changed(self, job: Any) -> SafeString:
        return moment(job.updated_at, zone_of(job.timezone), job.now)

    @admin.display(description="Created")
    def created(self, job: Any) -> SafeString:
        return moment(job.created_at, zone_of(job.timezone), job.now)

    @admin.display(description="Arguments")
    def args_shown(self, job: Job) -> SafeString:
        return format_html("<pre>{}</pre>", masked_json(job.args))

    @admin.display(description="Keyword arguments")
    def kwargs_shown(self, job: Job) -> SafeString:
        return format_html("<pre>{}</pre>", masked_json(job.kwargs))
