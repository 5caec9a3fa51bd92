"""What holds for every schedule of every form, at every moment."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from jobs.schedules import Schedule, ScheduleError, parse
from tests.unit.schedules.texts import ALL_TEXTS, OPTIONS, ZONES, moments

MOMENTS = moments()


def parsed(text: str, zone: str, options: dict[str, Any] | None = None) -> Schedule:
    try:
        return parse(text, zone, key="backup", **(options or {}))
    except ScheduleError as error:
        if "never comes" not in str(error):
            raise
        reject()


def in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


@settings(max_examples=400, deadline=None)
@given(text=ALL_TEXTS, options=OPTIONS, place=MOMENTS)
def test_next_and_previous_are_each_others_inverse(
    text: str, options: dict[str, Any], place: tuple[str, datetime]
) -> None:
    zone, moment = place
    schedule = parsed(text, zone, options)
    following = schedule.next_after(moment)
    previous = schedule.previous_before(moment)
    if following is not None:
        assert in_utc(following) > moment
        assert following.tzinfo is schedule.timezone
        assert following.microsecond == 0
        back = schedule.previous_before(following)
        assert back is None or in_utc(back) <= moment
    if previous is not None:
        assert in_utc(previous) < moment
        again = schedule.next_after(previous)
        assert again is None or in_utc(again) >= moment
        if following is not None:
            assert again is not None
            assert in_utc(again) in (moment, in_utc(following))


@settings(max_examples=400, deadline=None)
@given(text=ALL_TEXTS, options=OPTIONS, place=MOMENTS)
def test_next_goes_up_and_previous_comes_back_the_same_way(
    text: str, options: dict[str, Any], place: tuple[str, datetime]
) -> None:
    zone, moment = place
    schedule = parsed(text, zone, options)
    up = [moment]
    while len(up) < 40 and (found := schedule.next_after(up[-1])):
        up.append(in_utc(found))
    assert all(one < other for one, other in pairwise(up))
    down = up[-1:] if len(up) > 1 else []
    while down and (found := schedule.previous_before(down[-1])) and in_utc(found) > moment:
        down.append(in_utc(found))
    assert down[::-1] == up[1:]


@settings(max_examples=400, deadline=None)
@given(text=ALL_TEXTS, options=OPTIONS, place=MOMENTS, seconds=st.integers(0, 200_000))
def test_count_between_is_the_number_of_fire_times(
    text: str, options: dict[str, Any], place: tuple[str, datetime], seconds: int
) -> None:
    zone, start = place
    schedule = parsed(text, zone, options)
    end = start + timedelta(seconds=seconds)
    found = list(islice(schedule.between(start, end), 5000))
    if len(found) == 5000:
        end = found[-1]
    assert schedule.count_between(start, end) == len(found)
    assert all(start < in_utc(fire) <= in_utc(end) for fire in found)
    assert schedule.next_after(start) == (found[0] if found else schedule.next_after(end))


@settings(max_examples=300, deadline=None)
@given(
    text=ALL_TEXTS, options=OPTIONS, place=MOMENTS, parts=st.lists(st.integers(0, 40_000_000), min_size=1, max_size=4)
)
def test_counts_add_up(text: str, options: dict[str, Any], place: tuple[str, datetime], parts: list[int]) -> None:
    """However a stretch of years is cut, and across however many clock changes."""
    zone, start = place
    schedule = parsed(text, zone, options)
    cuts = [start, *(start + timedelta(seconds=sum(parts[: number + 1])) for number in range(len(parts)))]
    counts = [schedule.count_between(one, other) for one, other in pairwise(cuts)]
    assert sum(counts) == schedule.count_between(cuts[0], cuts[-1])
    assert schedule.count_between(cuts[-1], cuts[0]) == 0


@settings(max_examples=400, deadline=None)
@given(text=ALL_TEXTS, options=OPTIONS, zone=st.sampled_from(ZONES))
def test_the_normalised_text_is_the_same_schedule(text: str, options: dict[str, Any], zone: str) -> None:
    schedule = parsed(text, zone, options)
    again = parse(str(schedule), zone, key=schedule.key, gap=schedule.gap, repeated=schedule.repeated)
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert str(again) == str(schedule)


@settings(max_examples=400, deadline=None)
@given(text=ALL_TEXTS)
def test_every_schedule_has_one_line_of_words(text: str) -> None:
    words = parsed(text, "UTC").describe()
    assert words
    assert words[0].isupper()
    assert words.isprintable()
    assert "  " not in words


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet="0123456789*/,-?LWH#()@ JANFRIevryt:TZ+", max_size=30))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    schedule, reason = read(text)
    assert schedule is not None or ": " in reason
    assert schedule is None or parse(str(schedule), "Europe/Riga") == schedule


def read(text: str) -> tuple[Schedule | None, str]:
    try:
        return parse(text, "Europe/Riga"), ""
    except ScheduleError as error:
        return None, str(error)
