"""Shape: the runs that a backfill makes of one tick."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from jobs.backfill.sources import Source
from jobs.backfill.standing import Stood
from jobs.births import Birth, new_run_id
from jobs.models import Backfill, Job, Run
from jobs.models.choices import FanOut, Overlap, Redo
from jobs.policies.backfill import Verdict, decide
from jobs.states import State, Trigger
from jobs.tick_rules import fan_out

LEAST_URGENT = 9
NOT_RUN = (State.SKIPPED, State.MISSED)


@dataclass(frozen=True, slots=True)
class Shaper:
    """Makes the runs of a batch of ticks of one job."""

    backfill: Backfill
    job: Job
    source: Source
    split: fan_out.FanOutOf
    earlier: Mapping[UUID, Run]
    """The runs that are done again, by their id."""
    now: datetime

    @classmethod
    def of(
        cls, backfill: Backfill, job: Job, source: Source, looks: Mapping[datetime, Stood], now: datetime
    ) -> "Shaper":
        """With one question for the runs that are done again."""
        again = [look for look in looks.values() if decide(backfill.redo, look.standing) is Verdict.REDO]
        earlier = Run.objects.in_bulk([run for look in again for run in look.runs])
        return cls(backfill, job, source, fan_out.load([job], now), earlier, now)

    def runs(self, tick: datetime, look: Stood) -> list[Birth]:
        """The runs of the tick, behind the live ones in the job's line; none if it is left alone."""
        if decide(self.backfill.redo, look.standing) is Verdict.LEAVE:
            return []
        earlier = [self.earlier[run] for run in look.runs if run in self.earlier]
        births = self._again(tick, earlier) if self._was_split(earlier) else self._anew(tick, earlier)
        return [self._in_line(birth) for birth in births]

    def _was_split(self, earlier: Sequence[Run]) -> bool:
        """Whether its runs can be done again one by one. Those that never ran, or on workers, are made anew."""
        ran = any(run.state not in NOT_RUN for run in earlier)
        return ran and self.job.fan_out != FanOut.WORKERS

    def _again(self, tick: datetime, earlier: Sequence[Run]) -> list[Birth]:
        chosen = [run for run in earlier if self.backfill.redo == Redo.ALL or run.state != State.SUCCEEDED]
        births = [
            replace(self._birth(tick, run), shard=run.shard, shards=run.shards, limit_key=run.limit_key)
            for run in chosen
        ]
        group = births[0].id if chosen[0].shards > 1 else None
        return [replace(birth, group_id=group) for birth in births]

    def _anew(self, tick: datetime, earlier: Sequence[Run]) -> list[Birth]:
        return self.split(self.job, self._birth(tick, earlier[0] if earlier else None))

    def _birth(self, tick: datetime, earlier: Run | None) -> Birth:
        """A tick that has a row gets another as a retry of it; one without gets its own, under the unique key."""
        return Birth(
            new_run_id(self.now),
            self.job.pk,
            tick,
            trigger=Trigger.RETRY if earlier else Trigger.BACKFILL,
            retry_of=earlier.pk if earlier else None,
            interval_start=earlier.interval_start if earlier else self.source.interval_start(tick),
            backfill_id=self.backfill.pk,
            note=f"backfill {self.backfill.pk} by {self.backfill.made_by}: {self.backfill.why}",
            priority=LEAST_URGENT,
            due_at=self.now,
        )

    def _in_line(self, birth: Birth) -> Birth:
        if birth.state is not State.SCHEDULED or self.job.overlap == Overlap.ALLOW:
            return birth
        return replace(birth, state=State.WAITING, reason="waits for its turn, behind the live ticks")
