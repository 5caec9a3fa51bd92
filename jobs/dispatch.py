"""Dispatch: hand due runs to the broker, then mark them queued. Sending never happens inside a transaction."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.conf import conf
from jobs.exceptions import BrokerUnavailable
from jobs.failpoints import reach
from jobs.models import Run
from jobs.states import State
from jobs.transitions import Ticket, fail, queue

logger = logging.getLogger(__name__)


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
    reach("dispatch.before_publish")
    sent = _send(messages, publish, now)
    reach("dispatch.after_publish")
    queue([message.ticket for message in sent], now, conf().message_timeout)
    reach("dispatch.after_mark")
    return DispatchResult(len(sent), more=len(messages) == limit)


def _send(messages: Sequence[Message], publish: Publish, now: datetime) -> Sequence[Message]:
    """Publish the batch. If one message cannot be made at all, find it by sending each alone, and fail its run."""
    try:
        publish(messages)
    except BrokerUnavailable:
        raise
    except Exception:
        logger.exception("a batch of %s messages could not be sent; each is tried alone", len(messages))
        return [message for message in messages if _send_alone(message, publish, now)]
    return messages


def _send_alone(message: Message, publish: Publish, now: datetime) -> bool:
    try:
        publish([message])
    except BrokerUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one bad message must not stop the others
        told = {"reason": "its message cannot be sent", "error": f"{type(error).__name__}: {error}"}
        fail(message.ticket, [State.SCHEDULED], told, now)
        return False
    return True


def _due_messages(now: datetime, limit: int) -> list[Message]:
    grace = conf().kill_grace
    rows = Run.objects.due(now).values_list("id", "attempt", "task", "queue", "priority", "timeout")[:limit]
    return [
        Message(Ticket(run_id, attempt), task, queue, priority, timeout, timeout + grace)
        for run_id, attempt, task, queue, priority, timeout in rows
    ]
