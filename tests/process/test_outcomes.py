"""Every way in which a task can end has its defined outcome, and none takes the worker down."""

from dataclasses import dataclass, field
from typing import Any

from jobs.clock import database_now
from jobs.models import Run
from jobs.models.attempt import Outcome
from jobs.states import State
from jobs.trigger import run_now
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until

RETRY_SOON: dict[str, Any] = {"retry_policy": "immediate", "max_retries": 1}


@dataclass
class Case:
    """A job, and what its row must say in the end."""

    task: str
    state: State
    attempts: int = 1
    job: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    result: Any = None


CASES = {
    "success": Case("probe.add", State.SUCCEEDED, job={"args": [1, 2]}, result=3),
    "failure, retries used up": Case("probe.fail", State.FAILED, 2, says="ValueError: no luck"),
    "failure, then success": Case("probe.fail", State.SUCCEEDED, 2, {"kwargs": {"succeed_at": 2}}, result="at last"),
    "no retries": Case("probe.fail", State.FAILED, 1, {"retry_policy": "none"}, says="not to retry"),
    "never retried": Case(
        "probe.fail", State.FAILED, 1, {"never_retry": "ArithmeticError, ValueError"}, says="never retries ValueError"
    ),
    "not among those retried": Case(
        "probe.fail", State.FAILED, 1, {"only_retry": "OSError"}, says="retries only OSError"
    ),
    "among those retried": Case("probe.fail", State.FAILED, 2, {"only_retry": "Exception"}, says="used up"),
    "timeouts are not retried": Case(
        "probe.nap",
        State.FAILED,
        1,
        {"args": [30], "timeout": 1, "never_retry": "TimeLimitExceeded"},
        says="never retries TimeLimitExceeded",
    ),
    "MemoryError": Case("probe.memory_error", State.FAILED, 2, says="MemoryError: too much"),
    "SystemExit": Case("probe.exit", State.FAILED, 2, says="SystemExit: 3"),
    "Ignore": Case("probe.ignore", State.SUCCEEDED, says="raised Ignore"),
    "Reject": Case("probe.reject", State.FAILED, 1, says="Reject: not for me"),
    "Reject, requeue": Case("probe.reject", State.FAILED, 2, {"kwargs": {"requeue": True}}, says="Reject: not for me"),
    "self.retry()": Case("probe.self_retry", State.SUCCEEDED, 2, result="after 1 retries"),
    "self.retry(throw=False)": Case(
        "probe.self_retry", State.SUCCEEDED, 2, {"kwargs": {"throw": False}}, result="after 1 retries"
    ),
    "self.retry() beyond the policy": Case(
        "probe.self_retry", State.FAILED, 2, {"kwargs": {"succeed_at": 9}}, says="ValueError: again, please"
    ),
    "autoretry_for": Case("probe.autoretry", State.SUCCEEDED, 2, result="found"),
    "self.retry(args)": Case("probe.retry_with", State.SUCCEEDED, 3, {"args": [1], "max_retries": 2}, result=3),
    "arguments that do not fit": Case("probe.add", State.FAILED, 1, {"args": [1]}, says="do not fit the task"),
    "result that is not JSON": Case(
        "probe.result", State.SUCCEEDED, job={"args": ["set"]}, result="{1}", says="not JSON"
    ),
    "result that cannot be shown": Case(
        "probe.result",
        State.SUCCEEDED,
        job={"args": ["unprintable"]},
        result="<Unprintable whose repr() raises RuntimeError>",
    ),
    "result with NUL": Case("probe.result", State.SUCCEEDED, job={"args": ["nul"]}, result="'a\\x00b'"),
    "unpicklable exception": Case("probe.unpicklable", State.FAILED, 2, says="its message raises RuntimeError"),
    "soft limit": Case("probe.nap", State.FAILED, 2, {"args": [30], "timeout": 1}, says="timeout was exceeded"),
}


def test_each_ending_has_its_outcome_and_the_worker_lives_on(system: System) -> None:
    worker = system.worker()
    for name, case in CASES.items():
        job = make_job(**{"name": name, "task": case.task, "args": [], "enabled": False} | RETRY_SOON | case.job)
        run_now(job.pk, database_now())
    wait_until(lambda: system.pump() and not Run.objects.live().exists(), 60, "every run has ended")
    wrong = {name: told for name, case in CASES.items() if (told := _differs(case, name))}
    assert not wrong
    assert worker.running


def _differs(case: Case, name: str) -> str:
    run = Run.objects.get(job__name=name)
    told = f"{run.reason} {run.error}"
    if (run.state, run.attempt, run.result) != (case.state, case.attempts, case.result) or case.says not in told:
        return f"{run.state}, attempt {run.attempt}, result {run.result!r}, {told}"
    if run.attempts.count() != case.attempts - (case.state == State.SUCCEEDED):
        return f"{run.attempts.count()} attempts have rows"
    return ""


def test_a_long_result_is_cut_with_a_mark(system: System) -> None:
    system.worker()
    run = run_now(make_job(task="probe.result", args=["long"], enabled=False).pk, database_now())
    wait_until(lambda: system.pump() and not Run.objects.live().exists(), 20, "the run has ended")
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED
    assert len(run.result) < 20_000
    assert run.result.endswith("[cut]")
    assert "100,002 characters" in run.reason


def test_a_hard_limit_kills_and_is_told_by_the_parent(system: System) -> None:
    worker = system.worker(carillon={"kill_grace": 1})
    job = make_job(task="probe.stubborn", args=[], timeout=1, enabled=False, retry_policy="none")
    run = run_now(job.pk, database_now())
    wait_until(lambda: system.pump() and not Run.objects.live().exists(), 30, "the run has ended")
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "hard limit" in run.error
    assert run.attempts.get().outcome == Outcome.TIMED_OUT
    assert [line["event"] for line in system.seen()] == ["start", "SoftTimeLimitExceeded"]
    assert worker.running


def test_a_segfault_is_a_loss_and_the_third_one_is_poison(system: System) -> None:
    worker = system.worker()
    poison = run_now(make_job(task="probe.segfault", args=[], enabled=False).pk, database_now())
    good = run_now(make_job(enabled=False).pk, database_now())
    wait_until(lambda: system.pump() and not Run.objects.live().exists(), 40, "both runs have ended")
    poison.refresh_from_db()
    good.refresh_from_db()
    assert good.state == State.SUCCEEDED
    assert poison.state == State.FAILED
    assert poison.reason.startswith("poison")
    assert (poison.attempt, poison.losses, poison.retries) == (3, 3, 0)
    assert len(system.seen("start")) == 3
    assert worker.running


def test_an_unknown_task_waits_for_a_worker_that_knows_it(system: System) -> None:
    system.worker(env={"WITHOUT_PROBES": "1"})
    run = run_now(make_job(enabled=False).pk, database_now())
    wait_until(lambda: system.pump() and run.attempts.exists(), 20, "the old worker has told that it does not know it")
    assert run.attempts.get().outcome == Outcome.UNKNOWN_TASK
    system.programs[0].stop()
    system.worker()
    wait_until(lambda: system.pump() and not Run.objects.live().exists(), 30, "the new worker has run it")
    run.refresh_from_db()
    assert (run.state, run.result, run.losses, run.retries) == (State.SUCCEEDED, 3, 0, 0)
