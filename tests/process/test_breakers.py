"""A circuit breaker with real beats and a real worker, of which the leading beat dies while the circuit is open."""

from datetime import timedelta
from itertools import pairwise

from jobs.models import Job
from jobs.models.choices import Circuit
from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until

PAUSE = 2


def test_it_opens_probes_and_closes_whoever_leads(system: System) -> None:
    system.worker()
    system.beat()
    system.beat()
    leader = system.leader()
    job = make_job(
        task="probe.fail",
        schedule="* * * * * *",
        args=[],
        max_retries=0,
        overlap="allow",
        breaker_failures=2,
        breaker_pause=PAUSE,
    )
    opened = Job.objects.filter(pk=job.pk, circuit=Circuit.OPEN)
    wait_until(opened.exists, 20, "the circuit is open")
    leader.kill()
    skipped = job.runs.filter(state=State.SKIPPED, reason__startswith="circuit open since")
    wait_until(skipped.exists, 20, "a tick is skipped")
    probes = job.runs.filter(note__startswith="the probe of the circuit").order_by("started_at")
    wait_until(lambda: probes.filter(state=State.FAILED).count() >= 2, 30, "two probes have failed")
    Job.objects.filter(pk=job.pk).update(task="probe.note")
    closed = Job.objects.filter(pk=job.pk, circuit=Circuit.CLOSED, circuit_reason__endswith="succeeded")
    wait_until(closed.exists, 30, "a probe has closed it")
    passing = job.runs.filter(state=State.SUCCEEDED, note="")
    wait_until(lambda: passing.count() >= 2, 20, "ticks run again")
    begun = [at for at in probes.values_list("started_at", flat=True) if at is not None]
    assert all(later - earlier >= timedelta(seconds=PAUSE) for earlier, later in pairwise(begun))
    others = job.runs.filter(state=State.FAILED, note="")
    assert others.count() <= 4, "two opened it, and a round may have passed before it was seen"
    assert len(system.seen("start")) == job.runs.filter(started_at__isnull=False).count(), "and each ran once"
