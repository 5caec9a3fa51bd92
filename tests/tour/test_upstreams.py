"""Jobs that run after others: all succeeded, whatever came of them, or because one failed."""

from jobs import trigger
from jobs.clock import database_now
from jobs.models import Job, Upstream
from jobs.states import State
from tests.process.system import System
from tests.waiting import wait_until


def after(name: str, *upstreams: Job, rule: str = "all_succeeded") -> Job:
    job = Job.objects.create(name=name, task="probe.note", schedule="@after", upstream_rule=rule)
    for upstream in upstreams:
        Upstream.objects.create(job=job, upstream=upstream)
    return job


def test_what_runs_after_what(system: System) -> None:
    system.worker()
    system.beat()
    load = Job.objects.create(name="load", task="probe.note", schedule="* * * * * *")
    check = Job.objects.create(name="check", task="probe.fail", schedule="* * * * * *", retry_policy="none")
    report = after("report", load)
    publish = after("publish", report, check)
    clean_up = after("clean up", load, check, rule="all_done")
    alarm = after("alarm", check, rule="any_failed")
    for job in (report, clean_up, alarm):
        wait_until(job.runs.filter(state=State.SUCCEEDED).exists, 30, f"{job} has run")
    told = publish.runs.filter(state=State.SKIPPED, reason__startswith="the upstream check failed")
    wait_until(told.exists, 30, "the ledger says why there is no run")


def test_a_run_by_hand_takes_the_jobs_below_along(system: System) -> None:
    system.worker()
    system.beat()
    load = Job.objects.create(name="load", task="probe.note", schedule="@yearly")
    report = after("report", load)
    run = trigger.run(load.pk, database_now(), children=True)
    below = report.runs.filter(origin=run.pk, state=State.SUCCEEDED)
    wait_until(below.exists, 30, "the report follows the run by hand")
