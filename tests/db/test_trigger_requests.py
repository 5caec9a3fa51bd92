"""Runs asked for with arguments of their own, for later, or under a key; and what is refused."""

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from jobs import transitions
from jobs.births import Birth, insert, new_run_id
from jobs.models import Run
from jobs.states import State, Trigger
from jobs.trigger import Request, RequestRefused, retry_run, run, run_many, run_now
from tests.connections import on_own_connection, threads, together, wait_until_blocked
from tests.factories import NOON, make_job, queued_run, reload

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
RIGA = ZoneInfo("Europe/Riga")


class Level(IntEnum):
    HIGH = 3


def nested(levels: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_a_run_has_the_arguments_asked_for_and_the_job_keeps_its_own() -> None:
    job = make_job(args=[1, 2], kwargs={"a": 1}, overlap="allow")
    other = run(job.pk, NOON, args=[7, "ā\n"], kwargs={"b": {"c": [None, 1.5]}})
    assert (other.args, other.kwargs) == ([7, "ā\n"], {"b": {"c": [None, 1.5]}})
    plain = run_now(job.pk, NOON)
    assert (plain.args, plain.kwargs) == ([1, 2], {"a": 1})


def test_empty_arguments_are_not_the_jobs() -> None:
    job = make_job(args=[1, 2], kwargs={"a": 1})
    made = run(job.pk, NOON, args=[], kwargs={})
    assert (made.args, made.kwargs) == ([], {})


def test_a_retry_has_the_arguments_that_were_asked_for() -> None:
    job = make_job(args=[1, 2])
    old = run(job.pk, NOON, args=[7])
    assert transitions.cancel(old.pk, "by the test")
    assert retry_run(old.pk, NOON).args == [7]


def test_the_arguments_are_kept_as_json_has_them() -> None:
    big = 10**4000
    made = run(make_job().pk, NOON, args=[Level.HIGH, (1, 2), big], kwargs={"n": {1: "one"}})
    assert (reload(made).args, reload(made).kwargs) == ([3, [1, 2], big], {"n": {"1": "one"}})


@pytest.mark.parametrize(
    "when",
    [
        {"at": NOON + HOUR},
        {"at": (NOON + HOUR).astimezone(RIGA)},
        {"delay": HOUR},
    ],
)
def test_a_run_for_later_is_due_then(when: dict[str, Any]) -> None:
    made = run(make_job(expires=60, overlap="allow").pk, NOON, **when)
    assert (made.state, made.trigger) == (State.SCHEDULED, Trigger.MANUAL)
    assert (made.scheduled_for, made.due_at, made.created_at) == (NOON + HOUR, NOON + HOUR, NOON)
    assert made.expires_at == NOON + HOUR + timedelta(seconds=60)
    assert not Run.objects.due(NOON + HOUR - timedelta(microseconds=1)).exists()
    assert list(Run.objects.due(NOON + HOUR)) == [made]


@pytest.mark.parametrize(
    "at",
    [
        NOON - HOUR,
        NOON.replace(tzinfo=RIGA),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime(1, 1, 1, tzinfo=UTC),
    ],
)
def test_a_moment_that_has_passed_is_now(at: datetime) -> None:
    made = run(make_job().pk, NOON, at=at)
    assert (made.scheduled_for, made.due_at) == (NOON, NOON)


def test_the_repeated_hour_is_told_apart_by_its_fold() -> None:
    first = datetime(2026, 10, 25, 3, 30, tzinfo=RIGA)
    now, job = first.astimezone(UTC), make_job(overlap="allow")
    assert run(job.pk, now.astimezone(RIGA), at=first.replace(fold=1)).due_at == now + HOUR
    assert run(job.pk, (now + HOUR).astimezone(RIGA), at=first).due_at == now + HOUR


def test_the_overlap_policy_decides_about_what_is_due_at_once_and_exempts_what_is_for_later() -> None:
    job = make_job(overlap="skip")
    earlier = queued_run(job=job)
    assert run(job.pk, NOON, delay=HOUR).state == State.WAITING
    skipped = run(job.pk, NOON, args=[1, 1], delay=timedelta(0))
    assert (skipped.state, skipped.reason) == (State.SKIPPED, f"the earlier run {earlier.pk} had not ended")
    assert skipped.args == [1, 1]


def test_a_run_replaces_the_earlier_one_of_a_job_that_says_so() -> None:
    job = make_job(overlap="replace")
    earlier = run_now(job.pk, NOON)
    later = run_now(job.pk, NOON)
    assert (reload(earlier).state, later.state) == (State.CANCELLED, State.WAITING)
    assert str(later.pk) in reload(earlier).reason


def test_a_run_waits_for_the_earlier_one_of_a_job_that_says_so() -> None:
    job = make_job(overlap="queue_one")
    earlier = run_now(job.pk, NOON)
    second, third = run_now(job.pk, NOON), run_now(job.pk, NOON)
    assert (second.state, third.state) == (State.WAITING, State.SKIPPED)
    assert str(earlier.pk) in second.reason


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("args", {"args": {"a": 1}}, "must be a JSON list such as [1, 2], not an object"),
    ("args", {"args": "text"}, "not a string"),
    ("args", {"args": 0}, "not a number"),
    ("args", {"args": [float("nan")]}, "not JSON compliant"),
    ("args", {"args": [float("inf")]}, "not JSON compliant"),
    ("args", {"args": [{1, 2}]}, "set is not JSON serializable"),
    ("args", {"args": [10**5000]}, "4300 digits"),
    ("args", {"args": ["a\x00b"]}, "NUL"),
    ("args", {"args": [{"a\x00b": 1}]}, "NUL"),
    ("args", {"args": [("a\x00b",)]}, "NUL"),
    ("args", {"args": ["\ud800"]}, "surrogate"),
    ("args", {"args": nested(101)}, "nested deeper than 100 levels"),
    ("args", {"args": nested(100_000)}, "nested deeper than 100 levels"),
    ("kwargs", {"kwargs": []}, 'must be a JSON object such as {"key": 1}, not a list'),
    ("kwargs", {"kwargs": {"\ud800": 1}}, "surrogate"),
    ("kwargs", {"kwargs": {(1, 2): 1}}, "keys must be"),
    ("at", {"at": datetime(2026, 7, 1, 13)}, "2026-07-01 13:00:00 has no time zone"),  # noqa: DTZ001
    ("at", {"at": "2026-07-01"}, "must be a datetime, not '2026-07-01'"),
    ("at", {"at": datetime(2200, 1, 1, tzinfo=UTC)}, "must not be after the year 2199"),
    ("at", {"at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))}, "must not be after the year 2199"),
    ("delay", {"delay": -timedelta(microseconds=1)}, "must not be negative"),
    ("delay", {"delay": timedelta.max}, "must not be after the year 2199"),
    ("delay", {"delay": 60}, "must be a timedelta, not 60"),
    ("delay", {"delay": HOUR, "at": NOON}, "not both"),
    ("idempotency_key", {"idempotency_key": ""}, "1 to 200 characters, not 0"),
    ("idempotency_key", {"idempotency_key": "k" * 201}, "1 to 200 characters, not 201"),
    ("idempotency_key", {"idempotency_key": "a\x00b"}, "printable"),
    ("idempotency_key", {"idempotency_key": "a\nb"}, "printable"),
    ("idempotency_key", {"idempotency_key": "\ud800"}, "printable"),
    ("idempotency_key", {"idempotency_key": 7}, "must be a text, not 7"),
]


@pytest.mark.parametrize(("field", "asked", "words"), BAD)
def test_what_makes_no_sense_is_refused_with_the_name_of_its_field(
    field: str, asked: dict[str, Any], words: str
) -> None:
    job = make_job()
    with pytest.raises(RequestRefused) as told:
        run(job.pk, NOON, **asked)
    assert told.value.field == field
    assert words in told.value.why
    assert str(told.value).startswith(f"{field}: ")
    assert not Run.objects.exists()


def test_as_much_as_is_allowed_is_taken() -> None:
    key = "ā" * 200
    made = run(make_job().pk, NOON, args=nested(100), at=datetime(2199, 12, 31, tzinfo=UTC), idempotency_key=key)
    assert (reload(made).args, reload(made).idempotency_key) == (nested(100), key)


def test_the_same_key_is_the_same_run_whatever_is_asked_for() -> None:
    job = make_job(overlap="allow")
    first = run(job.pk, NOON, args=[1, 1], idempotency_key="invoice 7")
    again = run(job.pk, NOON + HOUR, args=[2, 2], delay=HOUR, idempotency_key="invoice 7")
    assert (again.pk, again.args, again.due_at) == (first.pk, [1, 1], NOON)
    assert Run.objects.count() == 1


def test_the_same_key_is_the_same_run_after_its_end() -> None:
    job = make_job()
    first = run(job.pk, NOON, idempotency_key="once")
    assert transitions.cancel(first.pk, "by the test")
    again = run(job.pk, NOON, idempotency_key="once")
    assert (again.pk, again.state) == (first.pk, State.CANCELLED)


def test_a_key_is_free_again_when_its_run_is_gone() -> None:
    job = make_job()
    first = run(job.pk, NOON, idempotency_key="once")
    first.delete()
    assert run(job.pk, NOON, idempotency_key="once").pk != first.pk


def test_a_key_is_the_jobs_own() -> None:
    runs = [run(make_job().pk, NOON, idempotency_key="once") for _ in range(2)]
    assert runs[0].pk != runs[1].pk


def test_a_skipped_run_keeps_its_key() -> None:
    job = make_job(overlap="skip")
    earlier = queued_run(job=job)
    skipped = run(job.pk, NOON, idempotency_key="once")
    assert transitions.cancel(earlier.pk, "by the test")
    again = run(job.pk, NOON, idempotency_key="once")
    assert (again.pk, again.state) == (skipped.pk, State.SKIPPED)


@pytest.mark.django_db(transaction=True)
def test_of_many_callers_with_one_key_all_get_the_same_run() -> None:
    job = make_job(overlap="allow")
    runs = together(*[lambda: run(job.pk, NOON, idempotency_key="once").pk] * 6)
    assert len(set(runs)) == 1
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_calls_that_share_keys_in_opposite_order_neither_deadlock_nor_double() -> None:
    job = make_job(overlap="allow")
    requests = [Request(idempotency_key=f"key {number}") for number in range(50)]
    forth, back = together(
        lambda: [one.pk for one in run_many(job.pk, requests, NOON)],
        lambda: [one.pk for one in run_many(job.pk, requests[::-1], NOON)],
    )
    assert forth == back[::-1]
    assert Run.objects.count() == 50


def insert_with_key(job_id: int) -> Birth:
    """A row with the key, made by somebody who has not locked the job."""
    birth = Birth(new_run_id(NOON), job_id, NOON, trigger=Trigger.MANUAL, idempotency_key="once")
    assert insert([birth], NOON) == {birth.id}
    return birth


@pytest.mark.django_db(transaction=True)
def test_a_key_that_another_inserts_at_the_same_moment_is_waited_for_and_found() -> None:
    job = make_job(overlap="allow")
    with threads(1) as pool:
        with transaction.atomic():
            birth = insert_with_key(job.pk)
            asked = pool.submit(
                on_own_connection, lambda: run_many(job.pk, [Request(), Request(idempotency_key="once")], NOON)
            )
            wait_until_blocked("INSERT")
        runs = asked.result(10)
    assert runs[1].pk == birth.id
    assert Run.objects.count() == 2


def test_arguments_that_are_templates_are_tried_out_and_kept_as_they_were_written() -> None:
    job = make_job(templated=True, overlap="allow")
    made = run(job.pk, NOON, args=["{scheduled_for:%Y}"], kwargs={"until": "{interval_end}"}, delay=HOUR)
    assert (made.args, made.kwargs, made.templated) == (["{scheduled_for:%Y}"], {"until": "{interval_end}"}, True)
    with pytest.raises(RequestRefused, match=r"^kwargs: .*yesterday") as told:
        run(job.pk, NOON, kwargs={"day": "{yesterday}"})
    assert (told.value.field, told.value.index) == ("kwargs", None)
    with pytest.raises(RequestRefused, match=r"^request 1: args: "):
        run_many(job.pk, [Request(), Request(args=["{"])], NOON)
    assert list(Run.objects.all()) == [made]


def test_braces_mean_nothing_where_arguments_are_no_templates() -> None:
    assert run(make_job().pk, NOON, args=["{"]).args == ["{"]
