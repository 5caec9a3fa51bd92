"""Execute: claim a run, let its task run, write what came of it. One frame, so nothing falls between the steps."""

import logging
from collections.abc import Callable
from dataclasses import replace

from jobs.conf import conf
from jobs.current import executing
from jobs.database import Session, clean_connection, persist
from jobs.failpoints import reach
from jobs.finish import Conclusion, finish
from jobs.policies.outcomes import Outcome
from jobs.policies.templates import Tick, render
from jobs.transitions import Claim, Claimant, Moment, Ticket, claim

logger = logging.getLogger(__name__)

CLAIM_PATIENCE = 10.0
"""Seconds a claim waits for the database. A claim given up leaves the run queued, and rescue sends it again."""


def execute(
    ticket: Ticket, task: str, claimant: Claimant, body: Callable[[Claim], Outcome], now: Moment = None
) -> Conclusion | None:
    """Claim the run for `task`, call `body`, which never raises, and write its outcome.

    None when the claim was lost: the message was a duplicate, stale, or its run has been cancelled, held or expired.
    """
    clean_connection()
    reach("claim.before")
    owned = persist(lambda again: claim(ticket, task, claimant, _beyond(), now=now, again=again), CLAIM_PATIENCE)
    if owned is None:
        logger.info("run %s attempt %s is not to be executed here: dropped", ticket.run_id, ticket.attempt)
        return None
    reach("claim.after")
    with executing(owned) as run, Session().watched() as session:
        outcome = body(owned)
    clean_connection(anew=session.changed)
    run.keep()
    reach("finish.before")
    conclusion = finish(owned, outcome, now=now)
    reach("finish.after")
    return conclusion


def filled_in(claim: Claim) -> Claim:
    """The claim with the arguments that its task is called with. TemplateError says why there are none."""
    if not claim.templated:
        return claim
    tick = Tick(
        scheduled_for=claim.scheduled_for,
        schedule=claim.schedule,
        attempt=claim.ticket.attempt,
        shard=claim.shard,
        shards=claim.shards,
        interval_start=claim.interval_start,
        job=claim.job_name,
        run=str(claim.ticket.run_id),
    )
    args, kwargs = render("args", claim.args, tick), render("kwargs", claim.kwargs, tick)
    return replace(claim, args=args, kwargs=kwargs)


def _beyond() -> float:
    """Seconds from the soft limit to the run's deadline."""
    return conf().kill_grace + conf().deadline_margin
