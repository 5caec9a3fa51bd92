"""Dispatch: hand due runs to the broker, then mark them queued. Sending never happens inside a transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.conf import conf
from jobs.models import Run
from jobs.transitions import Ticket, queue


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker gets of a run: which attempt of what, where to, how urgent, for how long. Never the arguments."""

    ticket: Ticket
    task: str
    queue: str
    priority: int
    soft_limit: int
    hard_limit: float


Publish = Callable[[Sequence[Message]], None]
"""Sends all messages, or raises BrokerUnavailable; then any of them may have been sent all the same."""


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """How many messages were sent."""

    sent: int = 0
    more: bool = False


def dispatch(now: datetime, publish: Publish) -> DispatchResult:
    """Send one batch of due runs.

    A beat that dies in between sends them again, and the second claim loses. A worker that is faster than the mark
    claims a run that is still scheduled, and the mark loses.
    """
    limit = conf().batch
    messages = _due_messages(now, limit)
    if not messages:
        return DispatchResult()
    publish(messages)
    queue([message.ticket for message in messages], now, conf().message_timeout)
    return DispatchResult(len(messages), more=len(messages) == limit)


def _due_messages(now: datetime, limit: int) -> list[Message]:
    grace = conf().kill_grace
    rows = Run.objects.due(now).values_list("id", "attempt", "task", "queue", "priority", "timeout")[:limit]
    return [
        Message(Ticket(run_id, attempt), task, queue, priority, timeout, timeout + grace)
        for run_id, attempt, task, queue, priority, timeout in rows
    ]
