"""The expected load without a database: counted as the ticks come, one by one."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.policies.flatten import Candidate, Member, Suggestion, shiftable, suggest
from jobs.policies.jitter import delay_of
from jobs.policies.load import Crowd, PerMinute, Window, per_minute, without_hash
from jobs.schedules import parse

NOW = datetime(2026, 7, 1, 12, 0, 17, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TEXTS = [
    *(
        "* * * * *",
        "*/7 * * * *",
        "0 2 * * *",
        "30 1-4 * * *",
        "@every 45s",
        "@every 7m",
        "@every 3h",
        "@at 2026-07-01T20:00",
    ),
    *("*/20 * * * * *", "* * * * * *", "10,50 0 13 * * *", "59 59 23 * * *", "0 0 1 1 *"),
]
ZONES = ["UTC", "Europe/Riga", "America/St_Johns"]


def brute_force(crowd: Crowd, window: Window) -> PerMinute:
    counts: PerMinute = Counter()
    ticks = crowd.schedule.between(crowd.after, crowd.until)
    for tick in ticks:
        for delay, runs in crowd.delays.items():
            minute = (tick.astimezone(UTC) + timedelta(seconds=delay) - window.start) // MINUTE
            if 0 <= minute < window.minutes:
                counts[minute] += runs
    return +counts


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(TEXTS),
    st.sampled_from(ZONES),
    st.dictionaries(st.integers(0, 7200), st.integers(1, 50), min_size=1, max_size=3),
    st.integers(-10_000, 10_000),
    st.integers(0, 20_000),
    st.integers(1, 200),
)
def test_each_minute_has_the_runs_that_come_due_in_it(
    text: str, zone: str, delays: Mapping[int, int], after: int, long: int, minutes: int
) -> None:
    window = Window.after(NOW, minutes)
    begin = NOW + timedelta(seconds=after)
    crowd = Crowd(parse(text, zone), begin, begin + timedelta(seconds=long), delays)
    assert per_minute(crowd, window) == brute_force(crowd, window)


@pytest.mark.parametrize("text", TEXTS)
def test_where_nothing_is_late_every_tick_of_the_window_is_counted_once(text: str) -> None:
    window = Window.after(NOW, 1440)
    schedule = parse(text, "Europe/Riga")
    counts = per_minute(Crowd(schedule, NOW, window.end, {0: 3}), window)
    ticks = schedule.count_between(window.start - timedelta(microseconds=1), window.end - timedelta(microseconds=1))
    assert counts.total() == 3 * ticks


def test_a_window_begins_with_the_next_whole_minute() -> None:
    assert Window.after(NOW, 5).start == NOW + timedelta(seconds=43)
    whole = NOW.replace(second=0)
    assert Window.after(whole, 5) == Window(whole, 5)
    assert Window.after(whole + timedelta(microseconds=1), 5).start == whole + MINUTE


@pytest.mark.parametrize(
    "text",
    [
        "H 2 * * *",
        "H/15 H(1-5) * * *",
        "H H H H H",
        "0,H 2 * * MON-THU",
        "H * * * * *",
        "H H 1 ? * 5L 2027",
        "h 2 * * *",
    ],
)
@given(st.text(min_size=1))
def test_a_text_without_its_hash_fires_at_the_same_times(text: str, key: str) -> None:
    plain, needed = without_hash(text, key)
    assert needed == ""
    hashed, replaced = parse(text, "Europe/Riga", key=key), parse(plain, "Europe/Riga")
    end = NOW + timedelta(days=40)
    assert hashed.count_between(NOW, end) == replaced.count_between(NOW, end)
    assert hashed.next_after(NOW) == replaced.next_after(NOW)


def test_what_has_no_hash_or_would_be_too_long_stays_as_it_is() -> None:
    assert without_hash("0 2 * * THU", "a job") == ("0 2 * * THU", "")
    assert without_hash("@hourly", "a job") == ("@hourly", "")
    assert without_hash("H/1 H/1 H/1 * *", "a job") == ("H/1 H/1 H/1 * *", "a job")
    with pytest.raises(ValueError, match="day of week"):
        without_hash("0 2 * H/9 H/9", "a job")


@pytest.mark.parametrize(
    ("text", "places", "hashed"),
    [
        ("0 2 * * *", 60, "H 2 * * *"),
        ("50 2 * * MON", 10, "H(50-59) 2 * * MON"),
        ("@daily", 60, "H 0 * * *"),
        ("*/5 * * * *", 5, "H/5 * * * *"),
        ("*/5 */2 * * *", 5, "H/5 */2 * * *"),
    ],
)
def test_what_can_be_moved_by_minutes(text: str, places: int, hashed: str) -> None:
    shift = shiftable(text)
    assert shift is not None
    assert (len(shift.places), shift.hashed_text) == (places, hashed)


@pytest.mark.parametrize(
    "text",
    [
        *("59 2 * * *", "0,30 * * * *", "0-5 * * * *", "* * * * *", "*/1 * * * *", "*/7 * * * *", "*/5 2 * * *"),
        *("H 2 * * *", "0 0 2 * * *", "0 0 2 * * ? 2027", "@every 5m", "@at 2027-01-01T09:00", "@after"),
    ],
)
def test_what_cannot(text: str) -> None:
    assert shiftable(text) is None


@given(st.sampled_from(["0 2 * * *", "17 * * * *", "*/6 * * * *", "@hourly", "58 4 * * *"]), st.text(min_size=1))
def test_a_moved_tick_comes_later_by_minutes_and_its_hash_is_one_of_its_places(text: str, name: str) -> None:
    shift = shiftable(text)
    assert shift is not None
    before = list(parse(text, "Europe/Riga").between(NOW, NOW + timedelta(days=2)))
    for place in shift.places:
        moved = list(parse(shift.text(place), "Europe/Riga").between(before[0] - MINUTE, before[-1] + 59 * MINUTE))
        first = min(shift.places)
        assert [tick - (place - first) * MINUTE for tick in moved[: len(before)]] == before
    hashed = parse(shift.hashed_text, "Europe/Riga", key=name)
    placed = parse(shift.text(shift.place_of(name)), "Europe/Riga")
    assert hashed.next_after(NOW) == placed.next_after(NOW)


# Suggestions, by jobs that are only told of

Job = tuple[str, str, int, bool]
jobs = st.lists(
    st.tuples(
        st.sampled_from(
            ["0 2 * * *", "30 2 * * *", "0 * * * *", "*/15 * * * *", "@every 1h", "0,20 2 * * *", "@daily"]
        ),
        st.sampled_from(["UTC", "Europe/Riga"]),
        st.integers(1, 20),
        st.booleans(),
    ),
    max_size=25,
)


def load_of(all_jobs: Mapping[str, Job], given: Mapping[str, Suggestion], window: Window) -> list[int]:
    """The load when these jobs have what was suggested to them."""
    total: PerMinute = Counter()
    for name, (text, zone, runs, _) in all_jobs.items():
        change = given.get(name)
        now_text = change.value if change and change.field == "schedule" else text
        late = delay_of(name, int(change.value)) if change and change.field == "jitter" else timedelta(0)
        schedule = parse(now_text, zone, key=name)
        crowd = Crowd(schedule, NOW, window.end, {int(late.total_seconds()): runs})
        total.update(brute_force(crowd, window))
    return [total[minute] for minute in range(window.minutes)]


def candidates(all_jobs: Mapping[str, Job], window: Window) -> list[Candidate]:
    groups: dict[tuple[str, str], list[Member]] = {}
    for name, (text, zone, runs, movable) in all_jobs.items():
        groups.setdefault((text, zone), []).append(Member(name, runs, movable))
    return [
        Candidate(text, zone, window, NOW, partial(parse, timezone=zone), partial(list, members))
        for (text, zone), members in groups.items()
    ]


@settings(deadline=None, max_examples=40)
@given(jobs)
def test_every_suggestion_lowers_the_peak_and_does_exactly_what_it_says(listed: list[Job]) -> None:
    window = Window.after(NOW, 1440)
    all_jobs = {f"job {number}": job for number, job in enumerate(listed)}
    load = load_of(all_jobs, {}, window)
    made = suggest(load, candidates(all_jobs, window), most=8)
    assert made == suggest(load, list(reversed(candidates(all_jobs, window))), most=8), "whatever the order"
    given_to: dict[str, Suggestion] = {}
    height = (max(load), load.count(max(load)))
    for suggestion in made:
        assert not set(suggestion.jobs) & set(given_to), "a job is moved once"
        assert suggestion.field == "jitter" or all(all_jobs[name][3] for name in suggestion.jobs)
        given_to |= dict.fromkeys(suggestion.jobs, suggestion)
        load = load_of(all_jobs, given_to, window)
        assert (suggestion.peak_before, suggestion.minutes_before) == height
        assert (suggestion.peak, suggestion.minutes) == (max(load), load.count(max(load))) < height
        height = (suggestion.peak, suggestion.minutes)
