"""Whatever ends in whatever order, also at once: a circuit opens when its rule says, and lets one probe by."""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from jobs import transitions
from jobs.models import Job, Run
from jobs.models.choices import Circuit
from jobs.settle import settle
from jobs.states import LIVE, State
from jobs.tick import tick
from jobs.trigger import run_now
from tests.connections import together
from tests.endings import living_worker
from tests.factories import NOON, claimant_of, planned_job, ticket_of

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 70
PAUSE = 4
RULES = (
    {"breaker_failures": 3},
    {"breaker_percent": 60, "breaker_window": 5},
    {"breaker_failures": 4, "breaker_percent": 50, "breaker_window": 6, "breaker_exceptions": "OSError"},
    {"breaker_failures": 2, "fan_out": "shards", "shards": 3},
)


@dataclass(frozen=True)
class Look:
    """The circuit at one moment, and the ticks' runs that may execute or have."""

    circuit: str
    probe: object
    changed_at: datetime | None
    ran: frozenset[datetime]


def look(job: Job) -> Look:
    row = Job.objects.get(pk=job.pk)
    ran = job.runs.filter(trigger="schedule").exclude(state__in=(State.SKIPPED, State.MISSED))
    ticks = frozenset(ran.values_list("scheduled_for", flat=True))
    return Look(row.circuit, row.circuit_probe, row.circuit_changed_at, ticks)


@pytest.mark.parametrize("rules", RULES, ids=" ".join)
@pytest.mark.parametrize("seed", range(2))
def test_the_breaker_holds_over_random_lives_of_a_job(rules: dict[str, Any], seed: int) -> None:
    chance = random.Random(f"{rules} {seed}")
    job = planned_job(NOON, schedule="* * * * * *", overlap="allow", breaker_pause=PAUSE, **rules)
    now, seen = NOON, Counter[str]()
    before = look(job)
    for step in range(STEPS):
        now += timedelta(seconds=chance.choice((0.5, 1, 2)))
        living_worker(now)
        together(*chance.sample(deeds(job, now, 0.1 if step // 12 % 2 else 0.9, chance), 4))
        middle = look(job)
        assert_let_by(before, middle, now, f"in step {step}")
        together(partial(settle, now), partial(settle, now), partial(tick, now))
        settle(now)
        after = look(job)
        assert_let_by(middle, after, now, f"when step {step} was settled")
        if middle.circuit == Circuit.CLOSED and after.circuit != Circuit.HALF_OPEN:
            assert (after.circuit == Circuit.OPEN) == oracle(job), f"after step {step}"
        assert_one_probe(job, f"after step {step}")
        seen[f"{middle.circuit} to {after.circuit}"] += 1
        before = after
    assert seen["closed to open"], seen
    assert job.runs.filter(note__startswith="the probe").exists()


def deeds(job: Job, now: datetime, luck: float, chance: random.Random) -> list[Callable[[], Any]]:
    """What beats, workers and people do, each on a connection of its own."""
    beats: list[Callable[[], Any]] = [
        partial(tick, now),
        partial(tick, now),
        partial(settle, now),
        partial(settle, now),
    ]
    ends = [partial(end_some, job, now, random.Random(chance.random()), luck) for _ in range(3)]
    return [*beats, *ends, partial(run_now, job.pk, now)]


def end_some(job: Job, now: datetime, chance: random.Random, luck: float) -> None:
    """Workers execute a few of the job's runs to some end."""
    runs = list(job.runs.filter(state__in=(State.SCHEDULED, State.QUEUED), due_at__lte=now))
    now += timedelta(microseconds=chance.randrange(400_000))  # no two end at the same moment
    for run in chance.sample(runs, min(len(runs), 3)):
        if chance.random() < 0.1:
            transitions.cancel(run.pk, "by ann", now)
            continue
        claim = transitions.claim(ticket_of(run), run.task, claimant_of(living_worker(now)), 40, now=now)
        if claim is None:
            continue
        if chance.random() < luck:
            kind = chance.choice(("OSError", "OSError", "ValueError"))
            transitions.fail(claim.ticket, [State.RUNNING], {"error_classes": [kind], "reason": "no"}, now)
        else:
            transitions.succeed(claim.ticket, {}, now)


def oracle(job: Job) -> bool:
    """Whether the breaker is open by the whole ledger, worked out in another way: on a text of S and F."""
    row = Job.objects.get(pk=job.pk)
    text = ""
    for run in Run.objects.filter(job=job, state__in=("succeeded", "failed")).order_by("finished_at"):
        assert run.finished_at is not None
        counts = row.circuit_counts_from is None or run.finished_at > row.circuit_counts_from
        named = not row.breaker_exceptions or run.state == "succeeded" or "OSError" in (run.error_classes or ())
        text += run.state[0].upper() if counts and named else ""
    if row.breaker_failures and re.search(f"F{{{row.breaker_failures}}}$", text):
        return True
    last = text[-row.breaker_window :]
    full = len(last) == row.breaker_window
    return bool(row.breaker_percent and full and last.count("F") / row.breaker_window >= row.breaker_percent / 100)


def assert_let_by(before: Look, after: Look, now: datetime, when: str) -> None:
    """What was let by of the ticks between two looks: nothing while it was open, and one when a probe was due."""
    new = len(after.ran - before.ran)
    if before.circuit == Circuit.OPEN:
        due = before.changed_at is None or before.changed_at + timedelta(seconds=PAUSE) <= now
        assert after.circuit == Circuit.HALF_OPEN if new else True, when
        assert new <= (1 if due else 0), when
    elif (before.circuit, before.probe) == (Circuit.HALF_OPEN, after.probe) and before.probe is not None:
        assert new == 0, when


def assert_one_probe(job: Job, when: str) -> None:
    probes = job.runs.filter(note__startswith="the probe", state__in=sorted(LIVE))
    assert probes.values("scheduled_for").distinct().count() <= 1, when
