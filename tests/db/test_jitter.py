"""Jitter through plan and tick: the run is late, the tick is not, and every beat finds the same moment."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from jobs.dispatch import dispatch
from jobs.models import Job
from jobs.policies.jitter import delay_of
from jobs.states import State
from jobs.tick import tick
from tests.connections import together
from tests.factories import NOON, make_job, planned_job, queued_run

pytestmark = pytest.mark.django_db

HOURLY = "0 * * * *"


def test_the_tick_keeps_its_time_and_its_run_is_due_later() -> None:
    job = planned_job(schedule=HOURLY, jitter=600, name="invoices", expires=30)
    tick(NOON)
    run = job.runs.get()
    delay = delay_of("invoices", 600)
    assert delay > timedelta(seconds=1)
    assert (run.scheduled_for, run.due_at, run.state) == (NOON, NOON + delay, State.SCHEDULED)
    assert run.expires_at == NOON + delay + timedelta(seconds=30), "the start deadline counts from when it is due"
    assert Job.objects.get(pk=job.pk).next_run_at == NOON + timedelta(hours=1)


def test_it_is_sent_when_it_is_due_and_not_before() -> None:
    planned_job(schedule=HOURLY, jitter=600, name="invoices")
    tick(NOON)
    due = NOON + delay_of("invoices", 600)
    assert dispatch(due - timedelta(milliseconds=1), lambda _: None).sent == 0
    assert dispatch(due, lambda _: None).sent == 1


def test_all_shards_of_a_tick_are_due_together() -> None:
    job = planned_job(schedule=HOURLY, jitter=600, name="invoices", fan_out="shards", shards=3)
    tick(NOON)
    assert set(job.runs.values_list("due_at", flat=True)) == {NOON + delay_of("invoices", 600)}


def test_the_overlap_policy_decides_at_the_tick() -> None:
    job = planned_job(schedule=HOURLY, jitter=600, overlap="skip")
    queued_run(NOON - timedelta(minutes=1), job)
    tick(NOON)
    assert job.runs.get(state=State.SKIPPED).scheduled_for == NOON


@pytest.mark.django_db(transaction=True)
def test_two_beats_find_the_same_moments() -> None:
    jobs = [planned_job(schedule=HOURLY, jitter=600) for _ in range(20)]
    together(lambda: tick(NOON), lambda: tick(NOON))
    for job in jobs:
        assert job.runs.get().due_at == NOON + delay_of(job.name, 600)


@pytest.mark.parametrize(
    ("schedule", "jitter", "words"),
    [
        ("@every 10m", 600, "must be less than the 600 s between two ticks of the schedule, such as"),
        ("* * * * *", 90, "the 60 s between two ticks"),
        (HOURLY, 86_401, "less than or equal to 86400"),
    ],
)
def test_a_jitter_that_passes_the_next_tick_is_refused_at_its_field(schedule: str, jitter: int, words: str) -> None:
    job = make_job(schedule=schedule, jitter=jitter)
    with pytest.raises(ValidationError) as refused:
        job.full_clean()
    assert list(refused.value.message_dict) == ["jitter"]
    assert words in " ".join(refused.value.message_dict["jitter"])


def test_a_jitter_that_fits_is_accepted_and_a_bad_schedule_is_told_as_such() -> None:
    make_job(schedule="@every 10m", jitter=599).full_clean()
    make_job(schedule="@at 2090-01-01T09:00", jitter=86_400).full_clean()
    with pytest.raises(ValidationError) as refused:
        make_job(schedule="61 * * * *", jitter=600).full_clean()
    assert list(refused.value.message_dict) == ["schedule"]
