"""The attempts of a run as a table: those that failed have rows of their own, the last one may be in the run's row."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString

from jobs.admin.display import NOTHING, badge, duration, moment, state_badge, with_under, zone_of
from jobs.admin.masking import without_passwords
from jobs.models import Attempt, Run
from jobs.states import State

_KINDS = {"failed": "failed", "timed_out": "failed", "lost": "missed", "given_back": "held", "unknown_task": "missed"}
"""The colour of an attempt's outcome."""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt, ready to be shown."""

    number: int
    badge: SafeString
    worker: SafeString
    started: SafeString
    took: str
    error: str = ""
    traceback: str = ""


def attempt_rows(run: Run, now: datetime) -> list[AttemptRow]:
    """All attempts that have begun, in order."""
    zone = zone_of(run.job.timezone)
    kept = list(run.attempts.all())
    rows = [
        AttemptRow(
            attempt.number,
            badge(_KINDS.get(attempt.outcome, "failed"), attempt.get_outcome_display()),
            _process(attempt.worker_name, attempt.pid),
            moment(attempt.started_at, zone),
            duration(_length(attempt)),
            without_passwords(attempt.error),
            without_passwords(attempt.traceback),
        )
        for attempt in kept
    ]
    own_row = run.state in (State.RUNNING, State.SUCCEEDED, State.CANCELLED) and run.started_at is not None
    if own_row and all(attempt.number != run.attempt for attempt in kept):
        rows.append(_last(run, now))
    return rows


def _last(run: Run, now: datetime) -> AttemptRow:
    begun = run.started_at or now
    return AttemptRow(
        run.attempt,
        state_badge(run.state),
        _process(run.worker_name, run.pid),
        moment(run.started_at, zone_of(run.job.timezone)),
        duration((run.finished_at or now) - begun),
    )


def _length(attempt: Attempt) -> timedelta | None:
    return attempt.finished_at - attempt.started_at if attempt.started_at else None


def _process(worker: str, pid: int | None) -> SafeString:
    if not worker:
        return SafeString(NOTHING)
    return with_under(worker, f"process {pid}" if pid else "")
