"""Turns: the more urgent first, the key with the fewest running next, and nobody stands before others by being many."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from jobs.policies.turns import Candidate, choose

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AGEING = 60


def candidate(number: int, key: str = "a", **fields: Any) -> Candidate:
    """A run that has just become due, in a job without limits."""
    given_fields: dict[str, Any] = {
        "priority": 5,
        "due_at": NOW,
        "turn_of": key,
        "running": 0,
        "served_at": None,
        "job": 1,
        "job_room": None,
        "key": key,
        "key_room": None,
    }
    return Candidate(UUID(int=number), **(given_fields | fields))


def chosen(candidates: list[Candidate], room: int) -> list[int]:
    return [run_id.int for run_id in choose(candidates, room, AGEING, NOW)]


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_keys_take_turns_and_within_a_key_the_first_is_the_first() -> None:
    many = [candidate(number, "many", due_at=ago(10)) for number in range(1, 10)]
    few = [candidate(number, "few") for number in range(11, 13)]
    assert chosen([*many, *few], 5) == [1, 11, 2, 12, 3]


def test_who_has_fewer_running_is_next() -> None:
    busy = [candidate(number, "busy", running=2) for number in range(1, 5)]
    idle = [candidate(number, "idle") for number in range(11, 15)]
    assert chosen([*busy, *idle], 5) == [11, 12, 1, 13, 2]


def test_the_more_urgent_come_first_whatever_runs() -> None:
    urgent = [candidate(number, "urgent", priority=1, running=9) for number in (1, 2)]
    assert chosen([candidate(3, "idle"), *urgent], 2) == [1, 2]


def test_waiting_makes_more_urgent_a_step_each_time() -> None:
    old = candidate(1, "old", priority=7, due_at=ago(3 * AGEING))
    assert chosen([candidate(2, "new", priority=5), old], 1) == [1]
    not_yet = candidate(1, "old", priority=9, due_at=ago(3 * AGEING))
    assert chosen([candidate(2, "new", priority=5, due_at=ago(1)), not_yet], 1) == [2]


def test_a_key_that_is_served_does_not_age_nor_does_the_time_before_it_was_served() -> None:
    new = candidate(1, "new", due_at=ago(1))
    assert chosen([candidate(2, "served", due_at=ago(9999), running=1), new], 1) == [1]
    assert chosen([candidate(2, "served", due_at=ago(9999), served_at=ago(1)), new], 2) == [2, 1]
    assert chosen([candidate(2, "served", priority=6, due_at=ago(9999), served_at=ago(1)), new], 2) == [1, 2]


def test_rooms_of_jobs_and_keys_hold_and_hide_nobody() -> None:
    full = [candidate(number, "x", key_room=1) for number in range(1, 5)]
    small = [candidate(number, "y", job=2, job_room=1) for number in range(11, 15)]
    free = [candidate(number, "x", job=3, due_at=NOW + timedelta(1)) for number in (21, 22)]
    assert sorted(chosen([*full, *small, *free], 9)) == [1, 11, 21, 22]


CANDIDATES = st.lists(
    st.tuples(
        st.integers(0, 9), st.integers(-500, 0), st.sampled_from("abc"), st.sampled_from([1, 2]), st.integers(0, 2)
    ),
    max_size=40,
)
ROOMS = {1: 3, 2: None}
KEY_ROOMS = {"a": 1, "b": None, "c": 4}
RUNNING = {"a": 0, "b": 2, "c": 1}


def drawn(facts: list[tuple[int, int, str, int, int]]) -> list[Candidate]:
    return [
        candidate(
            number,
            key,
            priority=priority,
            due_at=NOW + timedelta(seconds=due),
            running=RUNNING[key],
            job=job,
            job_room=ROOMS[job],
            key_room=KEY_ROOMS[key],
        )
        for number, (priority, due, key, job, _) in enumerate(facts)
    ]


@given(CANDIDATES, st.integers(0, 12))
def test_no_room_is_exceeded_and_none_that_somebody_could_use_is_left(facts: Any, room: int) -> None:
    candidates = drawn(facts)
    found = [candidates[number] for number in chosen(candidates, room)]
    jobs = Counter(one.job for one in found)
    keys = Counter((one.job, one.key) for one in found)
    assert len(found) <= room
    assert len(set(found)) == len(found)
    assert all(ROOMS[job] is None or count <= (ROOMS[job] or 0) for job, count in jobs.items())
    assert all(KEY_ROOMS[key] is None or count <= (KEY_ROOMS[key] or 0) for (_, key), count in keys.items())
    if len(found) < room:
        for one in set(candidates) - set(found):
            assert jobs[one.job] == one.job_room or keys[one.job, one.key] == one.key_room


@given(CANDIDATES, st.integers(1, 12))
def test_one_more_slot_takes_nothing_from_those_who_had_one(facts: Any, room: int) -> None:
    candidates = drawn(facts)
    assert chosen(candidates, room + 1)[:room] == chosen(candidates, room)
