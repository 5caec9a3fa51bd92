"""The jobs that run after others: each tick takes its descendants' runs along, which wait for their upstreams."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from jobs.births import Birth, new_run_id
from jobs.ledger import overlapping, recorded
from jobs.models import Job
from jobs.models.choices import UpstreamState
from jobs.policies.missed import MICROSECOND
from jobs.policies.upstream import waits_for
from jobs.schedules import Schedule
from jobs.states import State, Trigger
from jobs.tick_rules import adjustments, canaries, fan_out
from jobs.tick_rules.families import Family, Lineage, family_of, fires, schedule_of, to_come

logger = logging.getLogger(__name__)

MOST_COMPARED = 10_000
"""How many missed ticks are compared one by one with another schedule, to count those that the two have in common."""


class Children:
    """What a batch of ticks takes along: first it is told of them, then it says what is born, with few questions."""

    def __init__(self, family: Family, now: datetime) -> None:
        self.now = now
        self._family = family
        self._ticks: list[tuple[int, datetime]] = []
        self._stretches: list[Birth] = []

    def take(self, job: Job, births: Sequence[Birth]) -> None:
        """A tick of the job, whatever becomes of it; or a stretch of missed ones."""
        if job.pk not in self._family.offspring:
            return
        if births[0].last_scheduled_for is None:
            self._ticks.append((job.pk, births[0].scheduled_for))
        else:
            self._stretches.append(births[0])

    def births(self) -> list[Birth]:
        """The runs of the jobs below."""
        return [*self._along(), *self._missed()] if self._ticks or self._stretches else []

    def _along(self) -> Iterator[Birth]:
        wanted = {(child, tick) for root, tick in self._ticks for child in self._offspring(root, tick)}
        wanted -= self._without_tick(wanted)
        shape = _Shaping([self._family.jobs[child] for child in {child for child, _ in wanted}], self.now)
        for child, tick in sorted(wanted):
            yield from shape.pending(self._family.jobs[child], self._birth(child, tick))

    def _offspring(self, root: int, tick: datetime) -> list[int]:
        return [child for child in self._family.offspring[root] if self._family.lineages[child].within(tick)]

    def _without_tick(self, wanted: Collection[tuple[int, datetime]]) -> set[tuple[int, datetime]]:
        """Those that another root has no tick for, or that were missed already with a stretch of one."""
        roots = {key: {(root, key[1]) for root in self._family.lineages[key[0]].roots} for key in wanted}
        several = {key for key, needed in roots.items() if len(needed) > 1}
        needed = {root for key in several for root in roots[key]}
        # The jobs were read before: a tick that was not to come any more then has its row by now.
        given = {*self._ticks, *(key for key in needed if to_come(self._family.jobs[key[0]], key[1]))}
        rows = recorded([*(needed - given), *several])
        given |= {key for key, own in rows.items() if own or self._fires(*key)}
        return {key for key in several if not roots[key] <= given or rows.get(key) is False}

    def _fires(self, root: int, tick: datetime) -> bool:
        return fires(schedule_of(self._family.jobs[root]), tick)

    def _birth(self, child: int, tick: datetime) -> Birth:
        return Birth(
            new_run_id(self.now),
            child,
            tick,
            trigger=Trigger.UPSTREAM,
            reason=waits_for(self._family.upstream_names(child)),
            interval_start=self._family.before(child, tick),
        )

    def _missed(self) -> Iterator[Birth]:
        for stretch in self._stretches:
            for child in self._family.offspring[stretch.job_id]:
                yield from self._missed_by(child, stretch)

    def _missed_by(self, child: int, stretch: Birth) -> Iterator[Birth]:
        root = self._family.jobs[stretch.job_id]
        shared = self._shared(child, self._family.lineages[child], stretch)
        if shared:
            first, last, ticks = shared
            yield replace(
                stretch,
                id=new_run_id(self.now),
                job_id=child,
                trigger=Trigger.UPSTREAM,
                scheduled_for=first,
                last_scheduled_for=last,
                ticks=ticks,
                reason=f"the upstream {root.name} was missed: {stretch.reason}",
            )

    def _shared(self, child: int, lineage: Lineage, stretch: Birth) -> tuple[datetime, datetime, int] | None:
        """The ticks of a missed stretch that the job below has too, less those that have rows: first, last, number."""
        begin, end = stretch.scheduled_for, stretch.last_scheduled_for or stretch.scheduled_for
        first, last = max(begin, lineage.first or begin), min(end, lineage.last or end)
        if len(lineage.roots) == 1 and (first, last) == (begin, end):
            return first, last, stretch.ticks
        found = [schedule_of(self._family.jobs[root]) for root in lineage.roots]
        schedules = [schedule for schedule in found if schedule is not None]
        if len(schedules) < len(found) or first > last:
            return None
        return _in_common(schedules, first, last, overlapping(child, first, last))


def _in_common(
    schedules: Sequence[Schedule], first: datetime, last: datetime, rows: Collection[tuple[datetime, datetime]]
) -> tuple[datetime, datetime, int] | None:
    """The ticks that all schedules have, less those in the rows. More than MOST_COMPARED are taken without a look."""
    after = first - MICROSECOND
    count, place = min((schedule.count_between(after, last), place) for place, schedule in enumerate(schedules))
    rarest, others = schedules[place], [*schedules[:place], *schedules[place + 1 :]]
    if count > MOST_COMPARED:
        return first, last, count
    ticks = [
        tick
        for tick in islice(rarest.between(after, last), MOST_COMPARED)
        if all(fires(other, tick) for other in others) and not any(begin <= tick <= end for begin, end in rows)
    ]
    return (ticks[0], ticks[-1], len(ticks)) if ticks else None


class _Shaping:
    """What the runs of jobs that run after others are when they are born."""

    def __init__(self, jobs: Sequence[Job], now: datetime) -> None:
        self._steps = [load(jobs, now) for load in (adjustments.load, canaries.load)]
        self._fan_out = fan_out.load(jobs, now)
        self._one_shard = canaries.load_shards(jobs)

    def pending(self, job: Job, birth: Birth) -> list[Birth]:
        """The runs of one tick, which wait for their upstreams where no rule forbids them now."""
        return [_pending(one, birth.reason) for one in self._shaped(job, replace(birth, reason=""))]

    def _shaped(self, job: Job, birth: Birth) -> list[Birth]:
        try:
            schedule = job.parsed_schedule()
            for step in self._steps:
                if birth.state is State.SCHEDULED:
                    birth = step(job, schedule, birth)
            return self._one_shard(job, self._fan_out(job, birth))
        except Exception:
            # The ticks of the others, and of the jobs above, must not suffer.
            logger.exception("the rules of job %r cannot be applied to the tick %s", job.name, birth.scheduled_for)
            return [birth]


def _pending(birth: Birth, reason: str) -> Birth:
    if birth.state is not State.SCHEDULED:
        return birth
    return replace(birth, state=State.WAITING, upstream=UpstreamState.PENDING, reason=reason)


def load(jobs: Sequence[Job], now: datetime) -> Children:
    """What the ticks of these jobs take along."""
    return Children(family_of([job.pk for job in jobs]), now)


def of_tick(job: Job, births: Sequence[Birth], now: datetime) -> list[Birth]:
    """What a single tick of the job takes along."""
    children = load([job], now)
    children.take(job, births)
    return children.births()


def taken_along(job: Job, births: Sequence[Birth], now: datetime) -> list[Birth]:
    """The runs of the jobs below, for runs by hand, each the origin of its own tree; upstreams outside take no part."""
    family = family_of([job.pk])
    tree = _tree(family, job.pk)
    shape = _Shaping([family.jobs[pk] for pk in tree], now)
    return [
        pending
        for birth in births
        for pk, names in tree.items()
        for pending in shape.pending(family.jobs[pk], _by_hand(birth, pk, names, job, now))
    ]


def _tree(family: Family, root: int) -> dict[int, list[str]]:
    """The enabled jobs below, by way of enabled ones, each with the names of what it waits for."""
    tree: dict[int, list[str]] = {}
    front = [root]
    while front:
        above = front.pop()
        for pk in family.below.get(above, ()):
            if pk == root or not family.jobs[pk].enabled:
                continue
            if pk not in tree:
                front.append(pk)
            tree.setdefault(pk, []).append(family.jobs[above].name)
    return tree


def _by_hand(root: Birth, pk: int, names: Sequence[str], job: Job, now: datetime) -> Birth:
    schedule = schedule_of(job)
    return Birth(
        new_run_id(now),
        pk,
        root.scheduled_for,
        trigger=Trigger.MANUAL,
        origin=root.id,
        reason=waits_for(names),
        interval_start=root.interval_start or (schedule.previous_before(root.scheduled_for) if schedule else None),
    )
