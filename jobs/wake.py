"""Wake: runs that were skipped because of an upstream get another chance when that is retried."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from jobs.births import Birth, new_run_id
from jobs.ledger import TickKey, latest_runs
from jobs.models import Job, Run, Upstream
from jobs.models.choices import UpstreamState
from jobs.models.job_graph import downwards, edges_below
from jobs.policies.upstream import waits_for
from jobs.states import State, Trigger


@dataclass(frozen=True, slots=True)
class Below:
    """The jobs that run after a job, however far below, all of which the caller has locked."""

    root: int
    children: Mapping[int, Collection[int]]


def lock_below(job_id: int) -> Below:
    """Lock a job and all below it, so that two retries of what runs before the same job do not both wake it."""
    edges = edges_below([job_id])
    if edges:
        jobs = Job.objects.filter(pk__in={job_id, *(edge.job_id for edge in edges)}).order_by("pk")
        list(jobs.select_for_update(no_key=True).values_list("pk"))
    return Below(job_id, downwards(edges))


def woken(retry: Birth, below: Below, now: datetime) -> list[Birth]:
    """New runs, which wait for their upstreams, for those below the retried tick that an upstream kept from running.

    Those whose latest run has another reason, and what lies only below them, are left as they are.
    """
    found: list[TickKey] = []
    births: list[UUID] = []
    front, seen = {below.root}, {below.root}
    while front := {child for above in front for child in below.children.get(above, ())} - seen:
        latest = latest_runs([TickKey(job_id, retry.scheduled_for, retry.origin) for job_id in sorted(front)])
        kept = {key: [run.id for run in runs if _kept_from_it(run.state, run.upstream)] for key, runs in latest.items()}
        found += [key for key, ids in kept.items() if ids]
        births += [run_id for ids in kept.values() for run_id in ids]
        seen |= front
        front = {key.job_id for key, ids in kept.items() if ids}
    names = _upstream_names({key.job_id for key in found}, seen if retry.origin else None)
    old_runs = Run.objects.in_bulk(births)
    return list(_pending((old_runs[run_id] for run_id in births), names, now))


def _kept_from_it(state: str, upstream: str) -> bool:
    return state == State.SKIPPED and upstream == UpstreamState.UNMET


def _upstream_names(job_ids: Collection[int], within: Collection[int] | None) -> dict[int, list[str]]:
    """What each job waits for; of a tree that was asked for by hand only what is in it."""
    edges = Upstream.objects.filter(job_id__in=job_ids)
    if within is not None:
        edges = edges.filter(upstream_id__in=within)
    names: dict[int, list[str]] = {}
    for job_id, name in edges.values_list("job_id", "upstream__name"):
        names.setdefault(job_id, []).append(name)
    return names


def again(old: Run, now: datetime) -> Birth:
    """A new run for the same tick as a finished one, with its arguments; of a run by hand it is told by its origin."""
    by_hand = old.trigger == Trigger.MANUAL and old.origin is None
    return Birth(
        new_run_id(now),
        old.job_id,
        old.scheduled_for,
        trigger=Trigger.RETRY,
        retry_of=old.pk,
        shard=old.shard,
        shards=old.shards,
        for_worker=old.for_worker,
        queue=old.queue if old.for_worker else None,
        origin=old.pk if by_hand else old.origin,
        interval_start=old.interval_start,
        limit_key=old.limit_key,
    )


def _pending(old_runs: Iterable[Run], names: Mapping[int, list[str]], now: datetime) -> Iterator[Birth]:
    groups: dict[int, UUID] = {}
    for old in old_runs:
        birth = again(old, now)
        yield replace(
            birth,
            state=State.WAITING,
            reason=waits_for(names.get(old.job_id, ())),
            upstream=UpstreamState.PENDING,
            group_id=groups.setdefault(old.job_id, birth.id) if old.group_id else None,
        )
