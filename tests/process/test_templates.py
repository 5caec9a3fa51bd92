"""Arguments with the tick in them, on a real worker."""

from jobs.clock import database_now
from jobs.models import Run
from jobs.states import State
from jobs.trigger import run_now
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until


def test_a_worker_fills_in_each_attempt_s_arguments_and_refuses_what_it_cannot(system: System) -> None:
    system.worker()
    policy = {"templated": True, "args": [], "enabled": False, "retry_policy": "immediate", "max_retries": 1}
    day = {"day": "{scheduled_for:%Y-%m-%d} {interval_end:%H:%M} {job}"}
    sound = run_now(make_job(task="probe.arguments", kwargs=day, **policy).pk, database_now())
    failing = run_now(make_job(task="probe.fail", kwargs={"message": "{attempt}"}, **policy).pk, database_now())
    wrong = run_now(make_job(task="probe.fail", kwargs={"message": "{job.pk}"}, **policy).pk, database_now())
    wait_until(lambda: system.pump() and not Run.objects.live().exists(), 30, "all three have ended")
    for run in (sound, failing, wrong):
        run.refresh_from_db()
    local = sound.scheduled_for.astimezone(sound.job.parsed_schedule().timezone)
    assert sound.result == [[], {"day": f"{local:%Y-%m-%d} {local:%H:%M} {sound.job.name}"}]
    assert sound.kwargs == day
    assert (failing.state, failing.attempt, failing.error) == (State.FAILED, 2, "ValueError: 2")
    assert (wrong.state, wrong.attempt) == (State.FAILED, 1)
    assert 'kwargs["message"]: unknown placeholder "{job.pk}"' in wrong.error
