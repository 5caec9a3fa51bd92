"""Rows that no form let in: each holds up only its own job, visibly, and the other jobs' runs are all made."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.html import escape

from jobs import finish, transitions
from jobs.dispatch import Message
from jobs.models import Adjustment, Backfill, Calendar, Canary, Job, Pool, Run, Upstream
from jobs.models.calendar import Blackout, Freeze
from jobs.policies.outcomes import Failed, Succeeded
from jobs.round import work
from jobs.states import State
from tests.db.admin_site import JOBS, page, press
from tests.factories import NOON, claimant_of, make_job, make_worker, planned_job

pytestmark = pytest.mark.django_db

NOW = NOON + timedelta(seconds=30)
HUGE = 2**31 - 1


class World:
    """Three jobs with a tick that is due, one of them in a pool; and one between them whose rows are odd."""

    def __init__(self) -> None:
        fine: dict[str, Any] = {"overlap": "allow", "missed": "latest"}
        pool = Pool.objects.create(name="fine", slots=5)
        self.good = [planned_job(**fine), planned_job(**fine, max_running=1)]
        self.bad = planned_job(**fine, name="bad")
        self.good.append(planned_job(**fine, pool=pool))
        self.sent: list[Message] = []

    def edited(self) -> None:
        """Whatever was marked for planning was edited a moment after the tick, so that is owed."""
        edited_at = NOON + timedelta(seconds=10)
        Job.objects.filter(planned=False).update(owed_until=edited_at, planned_from=edited_at)

    def rounds(self) -> None:
        """Everything that the beats and workers do, three times, with failures and successes."""
        worker = make_worker(NOW)
        for number in range(3):
            now = NOW + number * timedelta(seconds=1)
            work(lambda now=now: now, lambda: True, self._publish)  # type: ignore[misc]
            for message in self.sent:
                self._execute(message, worker, now)
            self.sent.clear()

    def _publish(self, messages: Sequence[Message]) -> None:
        self.sent.extend(messages)

    def _execute(self, message: Message, worker: Any, now: Any) -> None:
        claim = transitions.claim(message.ticket, message.task, claimant_of(worker), 40, now=now)
        if claim is not None:
            outcome = Failed("no luck") if claim.job_name == "bad" else Succeeded(None)
            finish.finish(claim, outcome, now)

    def set_aside(self) -> str:
        """The others have had their runs; why the odd one has none, or an empty text."""
        for job in self.good:
            states = list(Run.objects.filter(job=job).values_list("scheduled_for", "state"))
            assert states == [(NOON, State.SUCCEEDED)]
            job.refresh_from_db()
            assert job.error == ""
            assert job.next_run_at == NOON + timedelta(minutes=1)
        self.bad.refresh_from_db()
        assert not self.bad.error or self.bad.next_run_at is None
        return self.bad.error


@pytest.fixture
def world() -> World:
    return World()


def write(job: Job, columns: str) -> None:
    """Change a job's row behind everybody's back."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE jobs_job SET {columns} WHERE id = %s", [job.pk])


SET_ASIDE = {
    "schedule = 'nonsense', planned_schedule = 'nonsense'": "schedule: has 1 field",
    "planned_schedule = '99 * * * *'": "minute: 99 is not in 0-59",
    "planned_timezone = 'Nowhere/At'": "time zone: 'Nowhere/At' is not known",
    "planned_timezone = '../../etc/passwd'": "time zone: '../../etc/passwd' is not known",
    "planned_gap = 'x'": "gap: 'x' is not known",
    "planned_repeated = 'x'": "repeated: 'x' is not known",
    "planned_schedule = '@at 9999-12-31T23:59:59'": "@at: year 9999 is not in 1970-2199",
    "fan_out = 'shards', shards = 32767": "shards: 32767 is not in 1-1000",
    "fan_out = 'shards', shards = 0": "shards: 0 is not in 1-1000",
    f"missed = 'all', missed_limit = {HUGE}": f"missed_limit: {HUGE} is not in 1-10000",
}
"""What a row may say, and what the job's error tells of it."""


@pytest.mark.parametrize("edited", [False, True], ids=["", "after an edit"])
@pytest.mark.parametrize("columns", SET_ASIDE)
def test_a_row_that_makes_no_sense_sets_its_job_aside(
    world: World, admin_client: Client, columns: str, edited: bool
) -> None:
    write(world.bad, columns)
    if edited:
        write(world.bad, "planned = false")
    world.edited()
    world.rounds()
    assert world.set_aside().startswith(SET_ASIDE[columns])
    assert not Run.objects.filter(job=world.bad).exists()
    assert escape(world.bad.error) in page(admin_client, JOBS)
    page(admin_client, "admin:jobs_job_change", world.bad.pk)
    assert press(admin_client, world.bad, "run_now").status_code == 302


ENDURED = [
    *(f"{column} = {HUGE}" for column in ("timeout", "grace", "jitter", "expires", "retry_delay", "retry_cap", "keep")),
    *(f"{column} = {HUGE}" for column in ("max_running", "overlap_limit", "breaker_failures", "breaker_pause")),
    *("max_running = 0", "key = '{', key_limit = 0", "key = '{kwargs[x]}', key_limit = 1", "max_retries = 32767"),
    *("breaker_failures = 0", "breaker_percent = 0", "breaker_percent = 32767, breaker_window = 0", "retry_delay = 0"),
    *("args = '7'", "args = 'null'", "args = '{}'", "kwargs = '[]'", "kwargs = '\"x\"'", "args = '[1e400]'"),
    "kwargs = (SELECT jsonb_object_agg('k' || n, repeat('x', 1000)) FROM generate_series(1, 5000) AS n)",
    *(
        "templated = true, args = '[\"{nonsense}\"]'",
        "templated = true, args = '7'",
        "never_retry = '((('",
        "name = ''",
    ),
    *(
        "task = ''",
        "queue = ''",
        "name = chr(1) || chr(8238)",
        "task = repeat('\U0001f600', 255)",
        "on_calendar = 'before'",
    ),
    *("circuit = 'open'", "circuit = 'half_open'", "circuit_probe = gen_random_uuid(), circuit = 'half_open'"),
    *(
        "planned_schedule = '@after'",
        "planned_limits = 'x'",
        "adjusted_until = '9999-12-01'",
        "starts_at = '0001-01-03'",
    ),
    *("starts_at = '9999-12-28'", "ends_at = '0001-01-03'", "ends_at = '9999-12-28'", "planned_from = '9999-12-28'"),
    *("next_run_at = '0001-01-03', grace = 0", "next_run_at = '1970-01-01'"),
]
"""What is odd, but keeps no tick from its run: whatever becomes of that is told on the run."""


@pytest.mark.parametrize("columns", ENDURED)
def test_an_odd_row_holds_up_nobody_else(world: World, columns: str) -> None:
    write(world.bad, columns)
    world.rounds()
    assert world.set_aside() == "" or Run.objects.filter(job=world.bad).count() == 0


@pytest.mark.parametrize(
    "moment", ["infinity", "-infinity", "0044-03-15 BC", "20000-01-01", "0001-01-01", "9999-12-31"]
)
@pytest.mark.parametrize(
    "column", ["starts_at", "ends_at", "next_run_at", "planned_from", "owed_until", "adjusted_until"]
)
def test_the_database_refuses_a_moment_that_no_beat_could_read(world: World, column: str, moment: str) -> None:
    with pytest.raises(IntegrityError, match="job_moments"), transaction.atomic():
        write(world.bad, f"{column} = '{moment}'")


def test_ticks_that_are_owed_until_the_end_of_time_set_their_job_aside(world: World) -> None:
    write(world.bad, "planned = false, owed_until = '9999-12-01', grace = 0")
    world.rounds()
    assert world.set_aside() == "owed_until: too many ticks are due until 9999-12-01 00:00:00 UTC"


def calendar(job: Job, **fields: Any) -> Calendar:
    made: Calendar = Calendar.objects.create(**{"name": "odd"} | fields)
    Job.objects.filter(pk=job.pk).update(calendar=made)
    return made


def pool(job: Job, **fields: Any) -> None:
    Job.objects.filter(pk=job.pk).update(pool=Pool.objects.create(name="odd", **fields))


def freeze(job: Job) -> None:
    moments = {"starts_at": NOON.replace(year=2), "ends_at": NOON.replace(year=9998)}
    Freeze.objects.create(calendar=calendar(job), reason="", **moments)


def blackout(job: Job, schedule: str, minutes: int) -> None:
    Blackout.objects.create(calendar=calendar(job), schedule=schedule, minutes=minutes, reason="odd")


def adjustment(job: Job, **fields: Any) -> None:
    own = {"job": job, "action": "skip", "first": NOON, "last": NOON, "reason": "", "made_by": "\x01%s{}"}
    Adjustment.objects.create(**own | fields)
    Job.objects.filter(pk=job.pk).update(adjusted_until=NOON.replace(year=9000))


def backfill(job: Job, **fields: Any) -> None:
    hour = {"first": NOON - timedelta(hours=1), "last": NOON - timedelta(minutes=1), "position": NOON.replace(hour=11)}
    Backfill.objects.create(**{"job": job, "why": "", "schedules": "", "total": 60, "made_by": ""} | hour | fields)


def ring(job: Job) -> None:
    other = make_job(name="other", schedule="@after", enabled=False)
    edges = [Upstream(job=job, upstream=other), Upstream(job=other, upstream=job)]
    Upstream.objects.bulk_create(edges)


def child(job: Job, **columns: Any) -> None:
    other = planned_job(name="child", schedule="@after")
    Upstream.objects.create(job=other, upstream=job)
    Job.objects.filter(pk=other.pk).update(**columns)


EVENT = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
OTHER_TABLES: dict[str, tuple[Callable[[Job], object], str | None]] = {
    "calendar, zone": (lambda job: calendar(job, timezone="Nowhere"), "calendar odd: 'Nowhere' is not known"),
    "calendar, country": (lambda job: calendar(job, countries="ZZ, !!"), "calendar odd: "),
    "calendar, weekend": (lambda job: calendar(job, weekend="MON,TUE,WED,THU,FRI,SAT,SUN"), "calendar odd: leaves no"),
    "calendar, file": (lambda job: calendar(job, ical="BEGIN:VCALENDAR\nRRULE nonsense"), "calendar odd: "),
    "calendar, dates": (lambda job: calendar(job, ical=EVENT.format("DTSTART:99991231T000000Z")), None),
    "freeze": (freeze, None),
    "blackout, schedule": (lambda job: blackout(job, "nonsense", 1), "calendar odd: schedule: has 1 field"),
    "blackout, minutes": (
        lambda job: blackout(job, "0 0 * * *", HUGE),
        "calendar odd: blackout odd: minutes: 2147483647 is not",
    ),
    "blackout, no minutes": (
        lambda job: blackout(job, "* * * * *", 0),
        "calendar odd: blackout odd: minutes: 0 is not in",
    ),
    "blackout, after": (lambda job: blackout(job, "@after", 10), None),
    "pool, no slots": (lambda job: pool(job, slots=0), None),
    "pool, no period": (lambda job: pool(job, rate=1, period=0), None),
    "pool, no ageing": (lambda job: pool(job, slots=1, ageing=0), None),
    "pool, nothing": (lambda job: pool(job, slots=HUGE, rate=0, period=0, ageing=0), None),
    "pool, much": (lambda job: pool(job, slots=HUGE, rate=HUGE, period=HUGE, ageing=HUGE), None),
    "pool, breaker": (lambda job: pool(job, breaker_failures=0, breaker_percent=32767, breaker_window=0), None),
    "skip": (lambda job: adjustment(job, first=NOON.replace(year=2), last=NOON.replace(year=9998)), None),
    "snooze": (lambda job: adjustment(job, action="snooze", moved_to=NOON.replace(year=9998)), None),
    "arguments": (lambda job: adjustment(job, action="arguments", args={"a": 1}, kwargs=[1]), None),
    "canary, per cent": (lambda job: Canary.objects.create(job=job, percent=32767), None),
    "canary, nothing": (lambda job: Canary.objects.create(job=job, percent=0, least_runs=0, timeout=0), None),
    "canary, arguments": (
        lambda job: Canary.objects.create(job=job, percent=100, args={}, kwargs=[], task="\x01"),
        None,
    ),
    "upstreams, ring": (ring, None),
    "upstream, schedule": (lambda job: child(job, schedule="nonsense", planned_schedule="nonsense"), None),
    "upstream, shards": (lambda job: child(job, shards=32767, fan_out="shards", timezone="x"), None),
    "backfill, schedule": (lambda job: backfill(job, schedules="nonsense"), None),
    "backfill, position": (lambda job: backfill(job, position=NOON.replace(year=9998), at_once=HUGE), None),
    "backfill, range": (lambda job: backfill(job, first=NOON.replace(year=2), last=NOON.replace(year=9998)), None),
}


@pytest.mark.parametrize("name", OTHER_TABLES)
def test_an_odd_row_of_another_table_holds_up_only_what_it_concerns(world: World, name: str) -> None:
    spoil, says = OTHER_TABLES[name]
    spoil(world.bad)
    world.edited()
    world.rounds()
    error = world.set_aside()
    assert error.startswith(says) if says else error == ""
    assert error or Run.objects.filter(job=world.bad).exclude(state=State.SUCCEEDED).exists(), "nothing tells of it"
