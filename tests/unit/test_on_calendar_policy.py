"""What becomes of blocked ticks, played through: nothing starts in a block, and one run stands for all its ticks."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.calendars import Block, Span, WorkCalendar
from jobs.policies.on_calendar import CalendarRules, Early, Go, Postpone, Skip, decide, early, first_tick, let_go
from jobs.schedules import Schedule, parse

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TEN = parse("*/10 * * * *", "UTC")


def frozen(*hours: tuple[float, float]) -> WorkCalendar:
    return WorkCalendar(hours, "c", UTC, freezes=tuple(Span(NOON + a * HOUR, NOON + b * HOUR, "f") for a, b in hours))


def at(moment: datetime, rules: CalendarRules, *, taken: bool = False) -> Go | Skip | Postpone:
    return decide(rules, TEN, moment, moment + rules.delay, lambda _: taken)


def test_a_free_tick_goes_whatever_the_policy() -> None:
    for kind in ("skip", "postpone", "before"):
        assert at(NOON + HOUR, CalendarRules(kind, frozen((0, 1)))) == Go()


def test_the_delay_of_the_job_counts_for_what_blocks_and_is_kept_at_the_end() -> None:
    rules = CalendarRules("postpone", frozen((0, 1)), delay=5 * MINUTE)
    assert isinstance(at(NOON - MINUTE, rules), Postpone)
    assert at(NOON + HOUR - MINUTE, rules) == Go()
    assert at(NOON, rules) == Postpone(NOON + HOUR + 5 * MINUTE, "postponed by the calendar c: f")
    tight = CalendarRules("postpone", frozen((0, 1), (1.05, 2)), delay=5 * MINUTE)
    assert at(NOON, tight) == Postpone(NOON + HOUR, "postponed by the calendar c: f")


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "due_at"),
    [
        (None, None, NOON - MINUTE),
        (NOON - timedelta(seconds=20), None, NOON - timedelta(seconds=20)),
        (NOON, None, None),
        (None, NOON - timedelta(seconds=1), None),
    ],
)
def test_a_run_before_the_block_keeps_within_the_jobs_bounds(
    starts_at: datetime | None, ends_at: datetime | None, due_at: datetime | None
) -> None:
    rules = CalendarRules("before", frozen((0, 1)), starts_at=starts_at, ends_at=ends_at)
    found = early(rules, TEN, NOON)
    assert (found and found.due_at) == due_at


def test_a_run_before_a_block_is_not_in_the_one_before_that() -> None:
    close = frozen((-1, -0.01), (0, 1))
    found = early(CalendarRules("before", close), TEN, NOON)
    assert found == Early(NOON, NOON - 0.01 * HOUR, NOON, "run before the block of the calendar c: f")


def test_a_postponed_run_follows_the_calendar() -> None:
    assert let_go(frozen((0, 1)), NOON, MINUTE) == NOON + HOUR + MINUTE
    assert let_go(frozen((0, 1)), NOON + HOUR, MINUTE) == NOON + HOUR
    assert let_go(frozen((-9999, 99999)), NOON, MINUTE) is None


def played(rules: CalendarRules, schedule: Schedule, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The ticks that run, each with when it starts, if the beat is always there."""
    runs: list[tuple[datetime, datetime]] = []
    stood_for: set[Block] = set()

    def stands_in(block: Block) -> bool:
        seen = block in stood_for
        stood_for.add(block)
        return seen

    for tick in schedule.between(start, end):
        if found := early(rules, schedule, tick):
            runs.append((tick, max(found.due_at, start)))
            continue
        match decide(rules, schedule, tick, tick + rules.delay, stands_in):
            case Go():
                runs.append((tick, tick + rules.delay))
            case Postpone(due_at):
                runs.append((tick, due_at))
    return runs


freezes = st.lists(
    st.tuples(st.integers(1, 200), st.integers(1, 40)).map(lambda pair: (pair[0] / 4, (pair[0] + pair[1]) / 4)),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["skip", "postpone", "before"]),
    hours=freezes,
    text=st.sampled_from(["*/10 * * * *", "7 * * * *", "0 */5 * * *", "*/40 * * * *"]),
    delay=st.integers(0, 90).map(lambda minutes: minutes * MINUTE),
)
def test_nothing_starts_in_a_block_and_one_run_stands_for_it(
    kind: str, hours: list[tuple[float, float]], text: str, delay: timedelta
) -> None:
    calendar, schedule = frozen(*hours), parse(text, "UTC")
    rules = CalendarRules(kind, calendar, delay)
    start, end = NOON - 2 * HOUR, NOON + 70 * HOUR
    runs = played(rules, schedule, start, end)
    assert not [begin for _, begin in runs if calendar.blocking(begin)]
    ticks = list(schedule.between(start, end))
    blocked = {tick: block for tick in ticks if (block := calendar.blocking(tick + delay))}
    free = [tick for tick in ticks if tick not in blocked]
    ran = [tick for tick, _ in runs]
    assert [tick for tick in ran if tick not in blocked] == free
    stood_for = Counter(blocked[tick] for tick in ran if tick in blocked)
    assert set(stood_for.values()) <= {1}
    if kind == "skip":
        assert not stood_for
    else:
        assert set(stood_for) == set(blocked.values())
        assert all(tick == first_tick(rules, schedule, blocked[tick]) for tick in ran if tick in blocked)
