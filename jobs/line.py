"""The line of a job: its live runs, and the place in it that each further run gets by the overlap policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from jobs import transitions
from jobs.births import Birth
from jobs.models import Job, Run
from jobs.models.choices import Overlap
from jobs.policies import overlap
from jobs.states import State

MAYBE_EXECUTING = (State.SCHEDULED, State.QUEUED, State.RUNNING)
"""States in which a process may have begun the run by the time it is cancelled; also scheduled, for a worker may be
faster than the beat's mark."""


@dataclass(slots=True)
class Line:
    """The live runs of one job, whose row the caller has locked, and the runs that are about to join them."""

    rules: overlap.OverlapRules
    active: dict[UUID, str] = field(default_factory=dict)
    """The runs that do not wait, with their states, oldest first."""
    waiting: list[UUID] = field(default_factory=list)
    births: dict[UUID, Birth] = field(default_factory=dict)
    replaced: dict[UUID, UUID] = field(default_factory=dict)
    """Runs of the ledger that give way, each with the run that replaces it."""
    stopping: set[UUID] = field(default_factory=set)
    """Those among them that a process may be executing."""

    def join(self, birth: Birth) -> None:
        """Give a run that is due its place."""
        match overlap.decide(self.rules, list(self.active), self.waiting):
            case overlap.Start():
                self.active[birth.id] = birth.state
            case overlap.Wait(reason):
                self.waiting.append(birth.id)
                birth = replace(birth, state=State.WAITING, reason=reason)
            case overlap.Skip(reason):
                birth = replace(birth, state=State.SKIPPED, reason=reason)
            case overlap.Replace(victims):
                birth = self._replace(victims, birth)
        self.births[birth.id] = birth

    def _replace(self, victims: Iterable[UUID], birth: Birth) -> Birth:
        ledgered = set(victims) - set(self.births)
        stopping = {victim for victim in ledgered if self.active.get(victim) in MAYBE_EXECUTING}
        # Who replaces a run that waits for a process to stop has to wait for that as well.
        must_wait = bool(stopping or self.waiting)
        for victim in victims:
            self._give_way(victim, birth.id)
        self.stopping |= stopping
        self.active, self.waiting = {}, []
        if not must_wait:
            self.active[birth.id] = birth.state
            return birth
        self.waiting.append(birth.id)
        return replace(birth, state=State.WAITING, reason="waits for the process of the run that it replaces to stop")

    def _give_way(self, victim: UUID, successor: UUID) -> None:
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

    A run that somebody asked for at a later time joins when that has come.
    """
    made = {job.pk: Line(overlap.OverlapRules(job.overlap, job.overlap_limit)) for job in jobs}
    asked = [pk for pk, line in made.items() if line.rules.kind != Overlap.ALLOW]
    # One that was due when it was made is there for everybody, also for whoever has read the clock a little earlier.
    later = Q(state=State.WAITING, due_at__gt=Greatest(Value(now), F("created_at")))
    live = Run.objects.live().filter(job_id__in=asked).exclude(later).order_by("due_at", "id")
    for job_id, run_id, state in live.values_list("job_id", "id", "state"):
        if state == State.WAITING:
            made[job_id].waiting.append(run_id)
        else:
            made[job_id].active[run_id] = state
    return made
