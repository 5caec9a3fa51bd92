"""What the pages tell of a run: the columns of the list and the fields of its page."""

from datetime import UTC
from typing import Any, Final

from django.contrib import admin
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.admin.attempt_rows import attempt_rows
from jobs.admin.display import NOTHING, duration, in_short, moment, relative, run_badge, two_lines, with_under, zone_of
from jobs.admin.masking import masked_json, without_passwords
from jobs.admin.run_list import HEAVY
from jobs.conf import conf
from jobs.models import Run
from jobs.states import State, Trigger

SHORT_TRIGGERS: Final[dict[str, str]] = {
    Trigger.SCHEDULE: "Schedule",
    Trigger.MANUAL: "Run now",
    Trigger.RETRY: "Retry",
    Trigger.UPSTREAM: "Upstream",
    Trigger.BACKFILL: "Backfill",
}

MOST_RETRIES = 20
"""How many retries of a run its page links to."""


def _template_note(run: Run) -> str:
    return "A template, filled in when an attempt starts." if run.templated else ""


def link_to_run(run: Run) -> SafeString:
    """A run as a link: its own time and its state."""
    stamp = moment(run.scheduled_for, zone_of(run.job.timezone))
    return format_html('<a href="{}">{}</a> {}', reverse("admin:jobs_run_change", args=[run.pk]), stamp, run_badge(run))


class RunColumns:
    """To be mixed into the page of runs. A `run` has `now` by the database's clock, and in the list `error_begins`."""

    @admin.display(description="Job")
    def of_job(self, run: Run) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("admin:jobs_job_change", args=[run.job_id]), run.job.name)

    @admin.display(description="Scheduled for")
    def tick(self, run: Any) -> SafeString:
        if run.ticks > 1:
            told = f"and {run.ticks - 1:,} more until {run.last_scheduled_for.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        else:
            told = relative(run.scheduled_for, run.now)
        return two_lines(run.scheduled_for, zone_of(run.job.timezone), told)

    @admin.display(description="State")
    def badge(self, run: Run) -> SafeString:
        return run_badge(run)

    @admin.display(description="State, trigger")
    def badge_and_trigger(self, run: Run) -> SafeString:
        made = SHORT_TRIGGERS.get(run.trigger, run.trigger)
        return with_under(run_badge(run), f"{made}, {run.shard + 1} of {run.shards}" if run.shards > 1 else made)

    @admin.display(description="Late")
    def late(self, run: Run) -> str:
        return duration(run.lateness)

    @admin.display(description="Took")
    def took(self, run: Any) -> str:
        if run.started_at is None:
            return NOTHING
        if run.state == State.RUNNING:
            return f"{duration(run.now - run.started_at)} so far"
        return duration(run.finished_at - run.started_at) if run.finished_at else NOTHING

    @admin.display(description="Took, worker")
    def took_on(self, run: Any) -> SafeString:
        return with_under(self.took(run), run.worker_name)

    @admin.display(description="Reason or error")
    def why(self, run: Any) -> SafeString | str:
        told = without_passwords(run.error_begins or run.reason)
        return format_html('<span title="{}">{}</span>', told, in_short(told, 80)) if told else NOTHING

    @admin.display(description="Reason")
    def reason_told(self, run: Run) -> str:
        return run.reason or NOTHING

    @admin.display(description="Note")
    def note_told(self, run: Run) -> str:
        """What was decided for it, and by whom."""
        return run.note or NOTHING

    @admin.display(description="Error")
    def error_told(self, run: Run) -> SafeString | str:
        return format_html('<p class="cn-error">{}</p>', without_passwords(run.error)) if run.error else NOTHING

    @admin.display(description="Traceback")
    def traceback_told(self, run: Run) -> SafeString | str:
        return format_html("<pre>{}</pre>", without_passwords(run.traceback)) if run.traceback else NOTHING

    @admin.display(description="Result")
    def result_told(self, run: Run) -> SafeString | str:
        return NOTHING if run.result is None else format_html("<pre>{}</pre>", masked_json(run.result))

    @admin.display(description="Checkpoint")
    def checkpoint_told(self, run: Run) -> SafeString:
        return format_html("<pre>{}</pre>", masked_json(run.checkpoint))

    @admin.display(description="Arguments")
    def args_told(self, run: Run) -> SafeString:
        return format_html("<pre>{}</pre>{}", masked_json(run.args), _template_note(run))

    @admin.display(description="Keyword arguments")
    def kwargs_told(self, run: Run) -> SafeString:
        return format_html("<pre>{}</pre>{}", masked_json(run.kwargs), _template_note(run))

    @admin.display(description="Progress")
    def progress_told(self, run: Run) -> SafeString | str:
        if run.progress is None:
            return run.progress_message or NOTHING
        return format_html(
            '<progress max="1" value="{}"></progress> {} {}',
            run.progress,
            f"{run.progress:.0%}",
            run.progress_message,
        )

    @admin.display(description="Flower")
    def flower(self, run: Run) -> SafeString | str:
        address = conf().flower_url.rstrip("/")
        never_sent = run.queued_at is None and run.attempt == 1
        if not address or never_sent:
            return NOTHING
        return format_html('<a href="{}/task/{}" rel="noopener">Open in Flower</a>', address, run.pk)

    @admin.display(description="Shard")
    def shard_told(self, run: Run) -> str:
        """Which of the tick's runs it is, and where it alone may run."""
        place = f"{run.shard + 1} of {run.shards}" if run.shards > 1 else NOTHING
        return f"{place}, for {run.for_worker}" if run.for_worker else place

    @admin.display(description="Attempts")
    def attempts_made(self, run: Any) -> str:
        return render_to_string("admin/jobs/attempts.html", {"attempts": attempt_rows(run, run.now)})

    @admin.display(description="In all")
    def counts(self, run: Run) -> str:
        return (
            f"attempt {run.attempt}; {run.retries} failed, {run.losses} lost with a worker, "
            f"{run.resends} messages lost and sent again"
        )

    @admin.display(description="Retry of")
    def retries_of(self, run: Run) -> SafeString | str:
        if run.retry_of is None:
            return NOTHING
        first = Run.objects.select_related("job").filter(pk=run.retry_of).first()
        return link_to_run(first) if first else f"{run.retry_of}, which is not kept any more"

    @admin.display(description="Retried by")
    def retried_by(self, run: Run) -> SafeString | str:
        # Ids are in the order of time, so only the job's later runs are read.
        later = Run.objects.filter(job_id=run.job_id, pk__gt=run.pk, retry_of=run.pk).select_related("job")
        links = [(link_to_run(newer),) for newer in later.defer(*HEAVY).order_by("pk")[:MOST_RETRIES]]
        return format_html_join(SafeString("<br>"), "{}", links) if links else NOTHING

    @admin.display(description="Scheduled for")
    def tick_told(self, run: Any) -> SafeString:
        stamp = moment(run.scheduled_for, zone_of(run.job.timezone), run.now)
        if run.ticks == 1:
            return stamp
        last = moment(run.last_scheduled_for, zone_of(run.job.timezone))
        return format_html("{} to {}, {} ticks", stamp, last, f"{run.ticks:,}")
