"""Descend: let the runs go on, or skip them, that wait for upstreams which have ended.

Whoever decides has locked the job's row, and goes by what the ledger says then: so the last of several upstreams to
end, or to be looked at, finds all of them, and a run goes on once.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from jobs import transitions
from jobs.births import Birth
from jobs.conf import conf
from jobs.database import REFUSED, first_line
from jobs.ledger import TickKey, latest_runs
from jobs.line import FOR_A_STOP, Line, lines
from jobs.models import Job, Run, Upstream
from jobs.models.choices import UpstreamState
from jobs.policies import overlap, upstream
from jobs.policies.upstream import Decision, Fate, Forbid, GoOn
from jobs.states import State, Trigger
from jobs.tick_rules import breakers
from jobs.tick_rules.families import ancestry_of

logger = logging.getLogger(__name__)

MET = "its upstreams have ended, it waits for its turn"

Ticks = dict[TickKey, list[Run]]
"""The runs that wait for upstreams, by their tick."""

# Neither the upstream's tick nor its retries may still change, nor is a settling of their ends to come.
_STUCK = """
SELECT pending.id
  FROM jobs_run AS pending
 WHERE pending.state = 'waiting' AND pending.upstream = 'pending'
   AND NOT EXISTS (SELECT FROM jobs_upstream AS edge JOIN jobs_run AS above ON above.job_id = edge.upstream_id
                    WHERE edge.job_id = pending.job_id AND above.scheduled_for = pending.scheduled_for
                      AND pending.origin IS NULL AND NOT (above.trigger IN ('manual', 'retry'))
                      AND (above.finished_at IS NULL OR above.unsettled))
   AND NOT EXISTS (SELECT FROM jobs_upstream AS edge JOIN jobs_run AS above ON above.job_id = edge.upstream_id
                    WHERE edge.job_id = pending.job_id AND above.scheduled_for = pending.scheduled_for
                      AND pending.origin IS NULL AND above.trigger = 'retry' AND above.origin IS NULL
                      AND (above.finished_at IS NULL OR above.unsettled))
   AND NOT EXISTS (SELECT FROM jobs_upstream AS edge JOIN jobs_run AS above ON above.job_id = edge.upstream_id
                    WHERE edge.job_id = pending.job_id AND above.origin = pending.origin
                      AND (above.finished_at IS NULL OR above.unsettled))
 ORDER BY pending.id
 LIMIT %s
"""


def follow(runs: Sequence[Run], jobs: Mapping[int, Job], now: datetime) -> None:
    """By these runs, which have ended; `jobs` are theirs and those that run after them, and are locked."""
    above = Upstream.objects.filter(upstream_id__in={run.job_id for run in runs}, job_id__in=list(jobs))
    children = set(above.values_list("job_id", flat=True))
    if children:
        ticks = Q(scheduled_for__in={run.scheduled_for for run in runs})
        for run in runs:
            if run.last_scheduled_for is not None:
                ticks |= Q(scheduled_for__range=(run.scheduled_for, run.last_scheduled_for))
        _decide(_pending().filter(ticks, job_id__in=children), jobs, now)


def sweep(now: datetime) -> int:
    """Decide on the runs whose upstreams nothing will be heard of any more; how many.

    Their rows are gone, the upstream or the dependency was deleted, the rule was edited, or nobody saw the end.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STUCK, [conf().batch])
        stuck = [run_id for (run_id,) in cursor.fetchall()]
    if not stuck:
        return 0
    try:
        return _swept(stuck, now)
    except REFUSED as error:
        logger.error("a batch of runs that wait for upstreams was refused, each is tried alone: %s", first_line(error))
    return sum(_swept_alone(run_id, now) for run_id in stuck)


def _swept_alone(run_id: UUID, now: datetime) -> int:
    try:
        return _swept([run_id], now)
    except REFUSED as error:
        logger.error("the run %s waits for upstreams and cannot go on: %s", run_id, first_line(error))
        return 0


def _swept(stuck: Collection[UUID], now: datetime) -> int:
    with transaction.atomic():
        found = dict(_pending().filter(pk__in=stuck).values_list("job_id", "scheduled_for"))
        ticks = set(_pending().filter(pk__in=stuck).values_list("scheduled_for", flat=True))
        locking = Job.objects.filter(pk__in=found).order_by("pk").select_for_update(skip_locked=True, no_key=True)
        jobs = {job.pk: job for job in locking}
        # All runs of each tick, which go on together.
        return _decide(_pending().filter(job_id__in=list(jobs), scheduled_for__in=ticks), jobs, now)


def _pending() -> QuerySet[Run]:
    return Run.objects.filter(state=State.WAITING, upstream=UpstreamState.PENDING)


def _decide(pending: QuerySet[Run], jobs: Mapping[int, Job], now: datetime) -> int:
    """How many ticks went on, or never will."""
    ticks: Ticks = {}
    for run in pending.order_by("scheduled_for", "id"):
        ticks.setdefault(TickKey(run.job_id, run.scheduled_for, run.origin), []).append(run)
    decisions = _decisions(ticks, jobs)
    for key, decision in decisions.items():
        if isinstance(decision, Forbid):
            _skip(ticks[key], decision.reason, now, UpstreamState.UNMET)
    met = {key: ticks[key] for key, decision in decisions.items() if isinstance(decision, GoOn)}
    _go_on(met, jobs, now)
    return sum(isinstance(decision, GoOn | Forbid) for decision in decisions.values())


def _decisions(ticks: Collection[TickKey], jobs: Mapping[int, Job]) -> dict[TickKey, Decision]:
    above: dict[int, dict[int, str]] = {}
    edges = Upstream.objects.filter(job_id__in={key.job_id for key in ticks})
    for job_id, upstream_id, name in edges.values_list("job_id", "upstream_id", "upstream__name"):
        above.setdefault(job_id, {})[upstream_id] = name
    fates = _fates({key._replace(job_id=pk): name for key in ticks for pk, name in above.get(key.job_id, {}).items()})
    return {
        key: upstream.decide(
            jobs[key.job_id].upstream_rule, [fates[key._replace(job_id=pk)] for pk in above.get(key.job_id, ())]
        )
        for key in ticks
    }


def _fates(names: Mapping[TickKey, str]) -> dict[TickKey, Fate]:
    """What became of these ticks, which have the names of their jobs."""
    runs = latest_runs(names)
    unborn = [key for key in names if key not in runs and key.origin is None]
    coming: set[TickKey] = set()
    if unborn:
        family = ancestry_of({key.job_id for key in unborn})
        coming = {key for key in unborn if key.job_id in family.jobs and family.coming(key.job_id, key.tick)}
        # What was born between the two questions is to come no more, and has its runs now.
        runs |= latest_runs([key for key in unborn if key not in coming])
    return {
        key: Fate(name, tuple((run.state, run.reason) for run in runs.get(key, ())), key in coming)
        for key, name in names.items()
    }


def _skip(runs: Sequence[Run], reason: str, now: datetime, state: UpstreamState) -> None:
    for run in runs:
        transitions.skip(run.pk, reason, now, upstream=state)


def _go_on(ticks: Ticks, jobs: Mapping[int, Job], now: datetime) -> None:
    """What becomes of runs whose upstreams let them: the circuit breaker first, then the overlap policy has its say."""
    if not ticks:
        return
    concerned = [jobs[pk] for pk in {key.job_id for key in ticks}]
    breakers.load(concerned, now)
    in_line = lines(concerned, now)
    for key, runs in ticks.items():
        let = _past_breaker(jobs[key.job_id], runs, now)
        if let.state is State.SKIPPED:
            _skip(runs, let.reason, now, UpstreamState.MET)
        else:
            _join(in_line[key.job_id], jobs[key.job_id], runs, let.note, now)
    for line in in_line.values():
        line.cancel_replaced(now)


def _past_breaker(job: Job, runs: Sequence[Run], now: datetime) -> Birth:
    first = runs[0]
    birth = Birth(first.pk, job.pk, first.scheduled_for, group_id=first.group_id, note=first.note)
    # As ever, what people ask for passes.
    return breakers.past_breaker(job, birth, now) if first.trigger == Trigger.UPSTREAM else birth


def _join(line: Line, job: Job, runs: Sequence[Run], note: str, now: datetime) -> None:
    """Give a tick its place in its job's line; runs of one that has its place already have none of their own."""
    group = runs[0].group_id or runs[0].pk
    decision = overlap.Start() if group in line.groups else line.decide()
    reason, state = MET, State.SCHEDULED
    match decision:
        case overlap.Skip(why):
            _skip(runs, why, now, UpstreamState.MET)
            return
        case overlap.Wait(why):
            reason, state = why, State.WAITING
        case overlap.Replace(victims) if line.give_way(victims, runs[0].pk):
            reason, state = FOR_A_STOP, State.WAITING
    transitions.meet([run.pk for run in runs], reason, now, job.expires, note=note)
    line.groups.setdefault(group, {}).update({run.pk: state for run in runs})
