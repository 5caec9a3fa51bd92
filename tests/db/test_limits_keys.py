"""Keys from the arguments, and limits that are edited while runs are there."""

from collections import Counter
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from jobs import transitions
from jobs.admit import admit
from jobs.models import Job, Pool, Run
from jobs.plan import plan
from jobs.states import State
from jobs.transitions import Ticket
from jobs.trigger import Request, RequestRefused, run, run_many, run_now
from tests.factories import NOON, make_worker, reload
from tests.limited import SECOND, ask, limited_job, start

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("key", "args", "kwargs", "made"),
    [
        ("{args[0]}", ["a", "b"], {}, "a"),
        ("t:{kwargs[tenant]}", [], {"tenant": 7}, "t:7"),
        ("{kwargs[a][b]}/{args[1][0]}!", [0, [True]], {"a": {"b": "x y"}}, "x y/true!"),
        ("{kwargs[__class__]}", [], {"__class__": "text"}, "text"),
        ("{args[0]}{args[1]}", ["", "é%s"], {}, "é%s"),
    ],
)
def test_a_key_is_filled_in_from_the_arguments(key: str, args: Any, kwargs: Any, made: str) -> None:
    job = limited_job(key=key, key_limit=1, args=args, kwargs=kwargs)
    job.full_clean()
    assert run_now(job.pk, NOON).limit_key == made


def test_a_long_key_is_cut_and_still_its_own() -> None:
    job = limited_job(key="{args[0]}", key_limit=1, args=["x"])
    one, other = (run(job.pk, NOON, args=["x" * 300 + end]).limit_key for end in "ab")
    assert len(one) == len(other) == 200
    assert one != other


def test_the_key_of_a_run_is_its_own_arguments_and_a_retry_keeps_it() -> None:
    job = limited_job(key="{kwargs[tenant]}", key_limit=1, kwargs={"tenant": 1}, args=[])
    runs = [*ask(job, 2), *ask(job, 2, tenant=2)]
    assert [one.limit_key for one in runs] == ["1", "1", "2", "2"]
    assert admit(NOON) == 2
    start(make_worker(), runs[0])
    transitions.try_again(Ticket(runs[0].pk, 1), [State.RUNNING], 0, {"kwargs": {}}, NOON)
    assert reload(runs[0]).limit_key == "1"


def test_arguments_that_lack_the_key_are_refused() -> None:
    job = limited_job(key="{kwargs[tenant]}", key_limit=1, kwargs={"tenant": 1}, args=[])
    with pytest.raises(RequestRefused, match=r"kwargs: the job's key needs kwargs\[tenant\], which is missing") as told:
        run(job.pk, NOON, kwargs={})
    assert told.value.field == "kwargs"
    with pytest.raises(RequestRefused, match=r"request 1: kwargs: .* a text, a number or a boolean"):
        run_many(job.pk, [Request(), Request(kwargs={"tenant": {}})], NOON)
    assert not Run.objects.exists()


@pytest.mark.parametrize("way", ["save", "update"])
def test_a_limit_that_is_added_holds_for_the_runs_that_are_there(way: str) -> None:
    job, worker = limited_job(), make_worker()
    runs = ask(job, 4)
    later = run(job.pk, NOON, delay=SECOND)
    assert {one.state for one in runs} == {State.SCHEDULED}
    start(worker, runs[0])
    if way == "save":
        job.max_running = 2
        job.save()
    else:
        Job.objects.filter(pk=job.pk).update(max_running=2)
    assert admit(NOON) == 0, "before the beat has seen the edit"
    plan(NOON)
    assert Counter(Run.objects.values_list("state", flat=True)) == {"running": 1, "waiting": 4}
    assert admit(NOON) == 1
    assert admit(NOON + SECOND) == 0
    assert reload(later).limited
    Job.objects.filter(pk=job.pk).update(max_running=None)
    plan(NOON)
    assert admit(NOON + SECOND) == 3
    assert not Run.objects.filter(limited=True).exists()


def test_a_job_that_changes_its_pool_takes_its_runs_along() -> None:
    old, new = Pool.objects.create(name="old", slots=1), Pool.objects.create(name="new", slots=2)
    job = limited_job(pool=old)
    ask(job, 5)
    admit(NOON)
    Job.objects.filter(pk=job.pk).update(pool_id=new.pk)
    assert admit(NOON) == 0
    plan(NOON)
    assert admit(NOON) == 1
    assert set(Run.objects.values_list("pool", flat=True)) == {new.pk}


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"key_limit": 1}, "key_limit", "needs a key"),
        ({"key": "{args[0]}"}, "key", "does nothing without a limit"),
        ({"key": "tenant", "key_limit": 1}, "key", "needs a placeholder"),
        ({"key": "{args[0].real}", "key_limit": 1}, "key", "a brace that belongs to no placeholder"),
        ({"key": "{args[2]}", "key_limit": 1}, "key", "args[2], which is missing"),
        ({"key": "{kwargs[tenant]}", "max_running": 1}, "key", "kwargs[tenant], which is missing"),
        ({"key": "{args[0]}", "key_limit": 3, "max_running": 2}, "key_limit", "is never reached"),
        ({"max_running": 0}, "max_running", "greater than or equal to 1"),
        ({"key": "{args[0]}", "key_limit": 0}, "key_limit", "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_on_its_field_when_saved(fields: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        limited_job(**fields).full_clean()
    assert list(refused.value.message_dict) == [field]
    assert why in refused.value.message_dict[field][0]
