"""Whatever comes in whatever order, also at the same moment: each run below ends as its job's rule says, once."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import QuerySet

from jobs import lease, losses, transitions, trigger
from jobs.admit import admit
from jobs.descend import sweep
from jobs.models import Job, Run, Upstream, Worker
from jobs.settle import settle
from jobs.states import LIVE, TERMINAL, State, Trigger
from jobs.tick import tick
from tests.connections import together
from tests.factories import NOON, claimant_of, make_worker, planned_job, ticket_of
from tests.family import job_after

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 50
RULES = ("all_succeeded", "all_done", "any_failed")
LATEST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("seed", range(5))
def test_each_run_below_ends_as_its_rule_says_once(seed: int) -> None:
    chance = random.Random(seed)
    roots, below = _graph(chance)
    worker = make_worker(NOON)
    now = NOON
    for _ in range(STEPS):
        now += timedelta(seconds=chance.choice((0.2, 1, 5, 20)))
        lease.renew(worker.pk, 0, draining=False, now=now)
        together(*chance.sample(_deeds(chance, worker, now), 4))
    Job.objects.filter(pk__in=[root.pk for root in roots]).update(enabled=False, planned=True, next_run_at=None)
    _finish(chance, worker, now)
    for job in below:
        _check(job)
    assert Run.objects.filter(trigger=Trigger.UPSTREAM).count() > 10, "something happened"


def _graph(chance: random.Random) -> tuple[list[Job], list[Job]]:
    """Three jobs with schedules, of which one is split, and seven in random places below them."""
    schedules = ("* * * * *", "*/2 * * * *", "* * * * *")
    roots = [planned_job(NOON, schedule=text, overlap="allow", grace=3600) for text in schedules]
    Job.objects.filter(pk=roots[2].pk).update(fan_out="shards", shards=2)
    below: list[Job] = []
    for _ in range(7):
        above = chance.sample([*roots, *below], chance.choice((1, 2, 2, 3)))
        overlap = chance.choice(("allow", "allow", "queue_all", "skip"))
        below.append(job_after(*above, upstream_rule=chance.choice(RULES), overlap=overlap))
    return roots, below


def _deeds(chance: random.Random, worker: Worker, now: datetime) -> list[Callable[[], object]]:
    """What beats, workers and people do; each draws its luck beforehand, for the threads have no order."""
    lucks = [chance.random() for _ in range(20)]
    return [
        lambda: tick(now),
        lambda: tick(now),
        lambda: settle(now),
        lambda: settle(now),
        lambda: admit(now),
        lambda: sweep(now),
        lambda: execute(lucks[0], worker, now),
        lambda: execute(lucks[1], worker, now),
        lambda: execute(lucks[2], worker, now),
        lambda: cancel(lucks[3], now),
        lambda: retry(lucks[4], now),
        lambda: retry(lucks[5], now),
    ]


def chosen(runs: QuerySet[Run], luck: float) -> Run | None:
    found = list(runs)
    return found[int(luck * len(found))] if found else None


def execute(luck: float, worker: Worker, now: datetime) -> None:
    """Claim a run and end it, in one of the ways in which runs end."""
    run = chosen(Run.objects.filter(state=State.SCHEDULED, due_at__lte=now).order_by("id"), luck)
    if run is None or transitions.claim(ticket_of(run), run.task, claimant_of(worker), 40, now=now) is None:
        return
    how = luck * 1000 % 1
    if how < 0.7:
        transitions.succeed(ticket_of(run), {}, now)
    elif how < 0.95:
        transitions.fail(ticket_of(run), [State.RUNNING], {"reason": "no luck"}, now)
    else:
        losses.lose(ticket_of(run), "killed", now)


def cancel(luck: float, now: datetime) -> None:
    if luck < 0.3 and (run := chosen(Run.objects.live().order_by("id"), luck / 0.3)):
        transitions.cancel(run.pk, "cancelled by ann", now)


def retry(luck: float, now: datetime) -> None:
    """Retry one that did not succeed."""
    ended = Run.objects.filter(state__in=(State.FAILED, State.CANCELLED, State.SKIPPED)).order_by("id")
    if run := chosen(ended, luck):
        trigger.retry_run(run.pk, now)


def _finish(chance: random.Random, worker: Worker, now: datetime) -> None:
    """Let everything end."""
    for _ in range(400):
        now += timedelta(seconds=1)
        lease.renew(worker.pk, 0, draining=False, now=now)
        settle(now)
        admit(now)
        sweep(now)
        for _ in range(4):
            execute(chance.random(), worker, now)
        if not Run.objects.live().exists() and not Run.objects.unsettled().exists():
            return
    stuck = list(Run.objects.live().values_list("job__name", "scheduled_for", "state", "upstream", "reason"))
    pytest.fail(f"these do not end: {stuck}")


def _check(job: Job) -> None:
    """By an oracle of its own, over the outcomes of the job's upstreams."""
    above = list(Upstream.objects.filter(job=job).values_list("upstream_id", flat=True))
    for tick_time in set(job.runs.values_list("scheduled_for", flat=True)):
        rows = list(job.runs.filter(scheduled_for=tick_time).order_by("created_at", "id"))
        what = f"{job} at {tick_time}: {[(row.trigger, row.state, row.upstream, row.reason) for row in rows]}"
        assert sum(row.trigger == Trigger.UPSTREAM for row in rows) == 1, what
        met = [row for row in rows if row.upstream == "met"]
        assert len(met) <= 1, what
        assert {row.state for row in rows} <= TERMINAL, what
        if met:
            assert _was_met(job.upstream_rule, above, tick_time), what
        if rows[-1].upstream == "unmet":
            assert rows[-1].state == State.SKIPPED, what
            assert _cannot_be_met(job.upstream_rule, above, tick_time), what


def _rows(job_id: int, tick_time: datetime) -> list[Run]:
    """The tick's rows in their order; in one instant a retry comes after what it retries."""
    rows = Run.objects.filter(job_id=job_id, scheduled_for=tick_time)
    return sorted(rows, key=lambda row: (row.trigger == Trigger.RETRY, row.created_at, row.pk))


def _last_states(job_id: int, tick_time: datetime, born_by: datetime = LATEST) -> set[str]:
    """How the last rows of the tick's shards have ended, of those that were there by then."""
    latest = {run.shard: run.state for run in _rows(job_id, tick_time) if run.created_at <= born_by}
    return set(latest.values())


def _was_met(rule: str, above: Sequence[int], tick_time: datetime) -> bool:
    """There was a moment at which it was, by the rows of then: an older failure may have been retried since."""
    moments = Run.objects.filter(job_id__in=above, scheduled_for=tick_time).values_list("created_at", flat=True)
    return any(_met_by(rule, above, tick_time, moment) for moment in set(moments))


def _met_by(rule: str, above: Sequence[int], tick_time: datetime, born_by: datetime) -> bool:
    if rule == "any_failed":
        return Run.objects.filter(job_id__in=above, scheduled_for=tick_time, state=State.FAILED).exists()
    states = [_last_states(job_id, tick_time, born_by) for job_id in above]
    if rule == "all_done":
        return all(one and not one & LIVE for one in states)
    return all(one == {State.SUCCEEDED} for one in states)


def _cannot_be_met(rule: str, above: Sequence[int], tick_time: datetime) -> bool:
    states = [_last_states(job_id, tick_time) for job_id in above]
    if rule == "any_failed":
        return not any(State.FAILED in one for one in states)
    return rule == "all_succeeded" and any(one != {State.SUCCEEDED} for one in states)
