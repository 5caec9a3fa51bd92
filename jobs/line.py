"""The line of a job: its live runs, and the place in it that each further tick gets by the overlap policy.

The runs that one tick makes (shards, or one for each worker) have one place. A backfill's runs stand aside: they skip
or replace nothing, and nothing skips because of them; what comes while one executes waits for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, Greatest

from jobs import transitions
from jobs.births import Birth
from jobs.models import Job, Run
from jobs.models.choices import Overlap, UpstreamState
from jobs.policies import overlap
from jobs.states import State

MAYBE_EXECUTING = (State.SCHEDULED, State.QUEUED, State.RUNNING)
"""States in which a process may have begun the run by the time it is cancelled; also scheduled, for a worker may be
faster than the beat's mark."""
FOR_A_STOP = "waits for the process of the run that it replaces to stop"

Group = dict[UUID, str]
"""The live runs of one tick, with their states."""


@dataclass(slots=True)
class Line:
    """The live runs of one job, whose row the caller has locked, and the runs that are about to join them."""

    rules: overlap.OverlapRules
    groups: dict[UUID, Group] = field(default_factory=dict)
    """By tick, the oldest first."""
    backfilling: UUID | None = None
    """A run of a backfill that does not wait."""
    births: dict[UUID, Birth] = field(default_factory=dict)
    replaced: dict[UUID, UUID] = field(default_factory=dict)
    """Runs of the ledger that give way, each with the run that replaces it."""
    stopping: set[UUID] = field(default_factory=set)
    """Those among them that a process may be executing."""

    @property
    def active(self) -> list[UUID]:
        """The ticks of which a run does not wait."""
        return [tick for tick, group in self.groups.items() if set(group.values()) != {State.WAITING}]

    @property
    def waiting(self) -> list[UUID]:
        """The ticks of which all runs wait."""
        return [tick for tick, group in self.groups.items() if set(group.values()) == {State.WAITING}]

    def join(self, births: Sequence[Birth]) -> None:
        """Give the runs of a tick that is due their place."""
        match self.decide():
            case overlap.Start():
                pass
            case overlap.Wait(reason):
                births = [replace(birth, state=State.WAITING, reason=reason) for birth in births]
            case overlap.Skip(reason):
                births = [replace(birth, state=State.SKIPPED, reason=reason) for birth in births]
            case overlap.Replace(victims):
                must_wait = self.give_way(victims, births[0].id)
                if must_wait:
                    births = [replace(birth, state=State.WAITING, reason=FOR_A_STOP) for birth in births]
        self.set_down(births)
        for birth in births:
            if birth.state in (State.SCHEDULED, State.WAITING):
                self.groups.setdefault(birth.group, {})[birth.id] = birth.state

    def decide(self) -> overlap.Decision:
        """What becomes of another tick."""
        decision = overlap.decide(self.rules, self.active, self.waiting)
        if isinstance(decision, overlap.Start) and self.rules.kind != Overlap.ALLOW and self.backfilling is not None:
            return overlap.Wait(f"waits for the backfill's run {self.backfilling} to end")
        return decision

    def set_down(self, births: Iterable[Birth]) -> None:
        """Take the runs as they are; they stand in nobody's way: they are for later, or have ended as they came."""
        self.births |= {birth.id: birth for birth in births}

    def give_way(self, victims: Iterable[UUID], successor: UUID) -> bool:
        """End the runs of these ticks for `successor`; whether that has to wait for a process to stop."""
        runs = {run: state for victim in victims for run, state in self.groups[victim].items()}
        ledgered = runs.keys() - self.births.keys()
        stopping = {run for run in ledgered if runs[run] in MAYBE_EXECUTING}
        # Who replaces a run that waits for a process to stop has to wait for that as well.
        must_wait = bool(stopping or self.waiting or self.backfilling)
        for run in runs:
            self._end(run, successor)
        self.stopping |= stopping
        self.groups = {}
        return must_wait

    def _end(self, victim: UUID, successor: UUID) -> None:
        if victim in self.births:
            reason = f"replaced by the run {successor}"
            self.births[victim] = replace(self.births[victim], state=State.SKIPPED, reason=reason)
        else:
            self.replaced[victim] = successor

    def cancel_replaced(self, now: datetime) -> list[UUID]:
        """Cancel in the ledger what gives way; those whose process is to be stopped."""
        return [
            victim
            for victim, successor in self.replaced.items()
            if transitions.cancel(victim, f"replaced by the run {successor}", now) and victim in self.stopping
        ]


def lines(jobs: Iterable[Job], now: datetime) -> Mapping[int, Line]:
    """The lines of these jobs, by the job's id, with one question for all.

    A run that somebody asked for at a later time joins when that has come, one that waits for its upstreams when they
    have ended, and a backfill's when it is sent.
    """
    made = {job.pk: Line(overlap.OverlapRules(job.overlap, job.overlap_limit)) for job in jobs}
    asked = [pk for pk, line in made.items() if line.rules.kind != Overlap.ALLOW]
    # One that was due when it was made is there for everybody, also for whoever has read the clock a little earlier;
    # and one whose upstreams have ended, which is due from that moment on.
    later = Q(due_at__gt=Greatest(Value(now), F("created_at")), upstream="")
    absent = Q(state=State.WAITING) & (later | Q(upstream=UpstreamState.PENDING))
    absent |= Q(state__in=(State.WAITING, State.HELD), backfill__isnull=False)
    # But one that has no slot between two attempts is under way all the same.
    between = Q(state=State.WAITING, attempt__gt=1)
    live = Run.objects.live().filter(job_id__in=asked).exclude(absent & ~between).order_by("due_at", "id")
    counted = Case(When(between, then=Value(State.SCHEDULED)), default="state")
    rows = live.annotate(tick=Coalesce("group_id", "id"), counted=counted)
    for job_id, run_id, tick, state, backfill_id in rows.values_list("job_id", "id", "tick", "counted", "backfill_id"):
        if backfill_id is not None:
            made[job_id].backfilling = run_id
        else:
            made[job_id].groups.setdefault(tick, {})[run_id] = state
    return made
