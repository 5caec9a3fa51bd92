"""Limits across all workers: pools, rates, keys and turns."""

import pytest

from jobs.admit import admit
from jobs.limits import explain
from jobs.models import Job, Pool
from jobs.trigger import Request, run_many
from tests.factories import NOON, planned_job

pytestmark = pytest.mark.django_db

FAR_OFF = NOON.replace(year=2100)


def ask(job: Job, *tenants: int) -> None:
    run_many(job.pk, [Request(kwargs={"tenant": tenant}) for tenant in tenants], NOON)


def told(job: Job) -> list[tuple[str, str]]:
    """What became of the runs, by what they wait for."""
    admit(NOON)
    explain(NOON)
    return sorted(job.runs.values_list("state", "reason"))


def limited(**fields: object) -> Job:
    return planned_job(FAR_OFF, overlap="allow", args=[], kwargs={"tenant": 0}, **fields)


def test_a_job_runs_so_often_at_once() -> None:
    job = limited(max_running=2)
    ask(job, 1, 2, 3)
    assert told(job) == [("scheduled", ""), ("scheduled", ""), ("waiting", "waits for a slot of the job (limit 2)")]


def test_jobs_share_the_slots_of_a_pool() -> None:
    pool = Pool.objects.create(name="erp", slots=1)
    first, second = limited(pool=pool, priority=1), limited(pool=pool)
    ask(first, 1)
    ask(second, 1)
    assert told(first) == [("scheduled", "")]
    assert told(second) == [("waiting", "waits for a slot in the pool erp (1)")]


def test_a_pool_has_a_rate() -> None:
    job = limited(pool=Pool.objects.create(name="erp", rate=2, period=60))
    ask(job, 1, 2, 3)
    assert told(job)[-1] == ("waiting", "waits for the rate of the pool erp (2 in 60 s)")


def test_each_key_has_its_limit() -> None:
    job = limited(key="tenant:{kwargs[tenant]}", key_limit=1)
    ask(job, 7, 7, 8)
    assert told(job) == [
        ("scheduled", ""),
        ("scheduled", ""),
        ("waiting", "waits for the key tenant:7 (limit 1)"),
    ]


def test_keys_take_turns() -> None:
    job = limited(pool=Pool.objects.create(name="erp", slots=4), key="tenant:{kwargs[tenant]}")
    ask(job, *[7] * 1000, 8, 8)
    admit(NOON)
    served = job.runs.filter(state="scheduled").values_list("limit_key", flat=True)
    assert sorted(served) == ["tenant:7", "tenant:7", "tenant:8", "tenant:8"]
