"""What the pages of jobs and of pools tell of a circuit breaker, and how a person closes its circuit."""

from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import breakers, circuits
from jobs.admin.display import NOTHING, badge, with_under
from jobs.admin.operations import Operation, Operator, Told
from jobs.clock import database_now
from jobs.models import Job, Pool, Run
from jobs.models.choices import Circuit
from jobs.policies.breaker import probe_from, since


def circuit_badge(guarded: Job | Pool) -> SafeString:
    """How the circuit stands, in two words."""
    kinds = {Circuit.CLOSED: "succeeded", Circuit.OPEN: "failed", Circuit.HALF_OPEN: "missed"}
    kind = kinds.get(Circuit(guarded.circuit), "failed")
    return badge(kind, f"Circuit {guarded.get_circuit_display().lower()}", guarded.circuit_reason)


class CircuitColumns:
    """To be mixed into the page of what has a breaker."""

    @admin.display(description="Circuit")
    def circuit_told(self, guarded: Any) -> SafeString:
        if guarded is None or guarded.pk is None:
            return SafeString(NOTHING)
        if guarded.circuit == Circuit.CLOSED:
            why = f"{guarded.circuit_reason} at {since(guarded.circuit_changed_at, database_now())}"
            return _told(guarded, why if guarded.circuit_reason else "")
        now = database_now()
        return format_html("{}{}", _told(guarded, circuits.told(guarded, now)), _what_is_next(guarded, now))


def _told(guarded: Job | Pool, why: str) -> SafeString:
    if guarded.circuit == Circuit.CLOSED and not guarded.breaker_rules().on:
        return with_under("No breaker", why)
    return with_under(circuit_badge(guarded), why)


def _what_is_next(guarded: Job | Pool, now: datetime) -> SafeString:
    if guarded.circuit_probe is not None:
        if not Run.objects.filter(pk=guarded.circuit_probe).exists():
            return _under("its probe is gone; another follows")
        address = reverse("admin:jobs_run_change", args=[guarded.circuit_probe])
        return _under(format_html('waits for the end of <a href="{}">its probe</a>', address))
    due = probe_from(guarded.breaker_rules(), guarded.circuit_changed_at)
    if guarded.circuit == Circuit.OPEN and due is not None and due > now:
        return _under(f"a probe goes from {since(due, now)} on")
    return _under("the next run that comes is the probe")


def _under(told: str) -> SafeString:
    return format_html('<span class="cn-under">{}</span>', told)


def _close(guarded: Job | Pool, operator: Operator) -> Told:
    if breakers.close(guarded, operator.name, database_now()):
        return Told.done("its circuit is closed; only runs that end from now on count")
    return Told.lost("nothing changed, its circuit was closed already")


CLOSE_CIRCUIT: Final = Operation(
    "close_circuit",
    "Close circuit",
    "change",
    _close,
    lambda guarded: guarded.circuit != Circuit.CLOSED,
    "Close the circuit now, without waiting for a probe?",
)
