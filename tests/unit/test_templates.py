"""Arguments with the tick in them: what a placeholder becomes, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.policies.templates import DEEPEST, DIRECTIVES, LONGEST, PLACEHOLDERS, TemplateError, Tick, literal, render
from jobs.schedules import Schedule, parse

RUN = "01981f5e-0000-7000-8000-000000000000"
TICK = Tick(
    scheduled_for=datetime(2026, 6, 30, 23, 0, tzinfo=UTC),
    schedule=lambda: parse("0 2 * * *", "Europe/Riga"),
    attempt=2,
    shard=7,
    job="nightly {job}",
    run=RUN,
)

texts = st.text()
braced = st.text(alphabet=st.sampled_from("{}!:.[]%<>^=_0159adYmjobrunshadempt\x00\ud800é "), max_size=60)
placeholders = st.builds(
    lambda name, tail: "{" + name + tail + "}", st.sampled_from(sorted(PLACEHOLDERS)), st.text(max_size=12)
)
templates = st.lists(st.one_of(braced, placeholders, texts), max_size=6).map("".join)


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )


def without_texts() -> st.SearchStrategy[Any]:
    return st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)


def refusal(value: Any, tick: Tick = TICK) -> str:
    with pytest.raises(TemplateError) as refused:
        render("kwargs", value, tick)
    return str(refused.value)


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in texts_in(item)]


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("", ""),
        ("no braces", "no braces"),
        ("{scheduled_for}", "2026-07-01T02:00:00+03:00"),
        ("{scheduled_for:%Y-%m-%d}", "2026-07-01"),
        ("sales-{scheduled_for:%Y%m%d}.csv", "sales-20260701.csv"),
        ("{scheduled_for:%H:%M %Z %z, day %j}", "02:00 EEST +0300, day 182"),
        ("{scheduled_for:100 %% é\ud800\x00}", "100 % é\ud800\x00"),
        ("{previous:%Y-%m-%d %H:%M}", "2026-06-30 02:00"),
        ("{interval_start} to {interval_end}", "2026-06-30T02:00:00+03:00 to 2026-07-01T02:00:00+03:00"),
        ("{attempt}", "2"),
        ("{attempt:03d}/{shard:x}/{shard:*^5}", "002/7/**7**"),
        ("{job}", "nightly {job}"),
        ("{job:.7}|{job:>15}|{job:_<15s}", "nightly|  nightly {job}|nightly {job}__"),
        ("{run:.8}", "01981f5e"),
        ("{run}", RUN),
        ("{{{attempt}}}", "{2}"),
        ("{{scheduled_for}}", "{scheduled_for}"),
    ],
)
def test_a_text_becomes(template: str, rendered: str) -> None:
    assert render("args", [template], TICK) == [rendered]


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_every_directive_that_is_allowed_is_strftime_s(directive: str) -> None:
    assert render("args", f"{{scheduled_for:%{directive}}}", TICK) == TICK.local().strftime(f"%{directive}")


def test_values_at_any_depth_are_filled_in_and_keys_and_numbers_are_left_alone() -> None:
    value = {"{job}": [{"a": {"b": ["{attempt}", 1, 2.5, None, True]}}], "shard {shard}": "{shard}"}
    expected = {"{job}": [{"a": {"b": ["2", 1, 2.5, None, True]}}], "shard {shard}": "7"}
    before = repr(value)
    assert render("kwargs", value, TICK) == expected
    assert repr(value) == before


def test_by_hand_the_interval_goes_from_the_last_tick_to_the_moment_it_was_asked_for() -> None:
    by_hand = replace(TICK, scheduled_for=datetime(2026, 7, 1, 7, 30, tzinfo=UTC))
    assert render("args", "{interval_start:%d %H:%M} {interval_end:%d %H:%M}", by_hand) == "01 02:00 01 10:30"


def test_the_previous_tick_is_the_schedule_s_across_a_change_of_the_clock() -> None:
    twice_a_day = replace(
        TICK,
        scheduled_for=datetime(2026, 10, 25, 2, 30, tzinfo=UTC),
        schedule=lambda: parse("30 3,4 * * *", "Europe/Riga"),
    )
    # 03:30 comes twice that night and fires the first time, so it is two hours before 04:30.
    assert render("args", "{previous} {scheduled_for}", twice_a_day) == (
        "2026-10-25T03:30:00+03:00 2026-10-25T04:30:00+02:00"
    )


ATTACKS = [
    "{job.__class__}",
    "{0.__init__}",
    "{0}",
    "{}",
    "{job[0]}",
    "{scheduled_for.tzinfo}",
    "{run.__class__.__mro__[1].__subclasses__}",
    "{schedule}",
    "{local}",
    "{__class__}",
    "{ job}",
    "{JOB}",
    "{yesterday}",
    "{yesterday:%Y}",
]


@pytest.mark.parametrize("template", ATTACKS)
def test_what_is_no_placeholder_is_refused_with_those_that_are(template: str) -> None:
    told = refusal({"day": template})
    assert told.startswith(f'kwargs["day"]: unknown placeholder "{template}"; known are ')
    assert all(f"{{{name}}}" in told for name in PLACEHOLDERS)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{job!r}", 'placeholder "{job!r}": a conversion such as !r is not allowed'),
        ("{attempt:{shard}}", 'placeholder "{attempt:{shard}}": a placeholder within a placeholder is not allowed'),
        ("{scheduled_for:{job.x}}", "a placeholder within a placeholder is not allowed"),
        ("{scheduled_for:%c}", "%c is not allowed; allowed are %a "),
        ("{scheduled_for:%s}", "%s is not allowed"),
        ("{scheduled_for:%9999999Y}", "%9 is not allowed"),
        ("{scheduled_for:%-d}", "%- is not allowed"),
        ("{scheduled_for:%}", "% is not allowed"),
        ("{attempt:100d}", 'the format "100d" is not allowed; write one such as 03d, at most 99 wide'),
        ("{attempt:e}", 'the format "e" is not allowed'),
        ("{attempt:c}", 'the format "c" is not allowed'),
        ("{attempt:,x}", "Cannot specify ',' with 'x'"),
        ("{job:>100}", 'the format ">100" is not allowed'),
        ("{job:٣}", 'the format "٣" is not allowed'),
        ("{job:%Y}", 'the format "%Y" is not allowed'),
        ("{", "single '{' encountered in format string; a brace that is meant is written {{ or }}"),
        ("}", "single '}' encountered"),
        ("{job", "expected '}' before end of string"),
        ("{job!}", "unmatched '{'"),
    ],
)
def test_what_is_no_format_is_refused_with_its_place_and_the_reason(template: str, told: str) -> None:
    refused = refusal({"a": [0, {"b": template}]})
    assert refused.startswith('kwargs["a"][1]["b"]: ')
    assert told in refused


def test_a_malformed_text_is_not_repeated_in_the_error() -> None:
    assert "hunter2" not in refusal({"password": "hunter2{"})


def test_a_schedule_without_an_earlier_tick_has_no_previous_one() -> None:
    once = replace(TICK, schedule=lambda: parse("@at 2026-07-01T02:00", "Europe/Riga"))
    assert render("args", "{scheduled_for:%d}", once) == "01"
    assert refusal("{previous}", once) == (
        'kwargs: placeholder "{previous}": the schedule has no tick before 2026-07-01T02:00:00+03:00'
    )


def test_a_schedule_that_is_wrong_is_told_only_where_a_time_is_asked_for() -> None:
    def broken() -> Schedule:
        return parse("99 * * * *", "UTC")

    tick = replace(TICK, schedule=broken)
    assert render("args", ["{attempt} {job:.7}"], tick) == ["2 nightly"]
    assert "minute: 99" in refusal("{scheduled_for}", tick)


@pytest.mark.parametrize(("year", "month", "zone"), [(1, 1, "America/New_York"), (9999, 12, "Asia/Tokyo")])
def test_a_time_that_the_zone_moves_out_of_the_calendar_is_refused(year: int, month: int, zone: str) -> None:
    day = 1 if month == 1 else 31
    edge = replace(
        TICK,
        scheduled_for=datetime(year, month, day, 0 if month == 1 else 23, tzinfo=UTC),
        schedule=lambda: parse("@daily", zone),
    )
    assert 'placeholder "{scheduled_for}"' in refusal("{scheduled_for}", edge)


def test_what_is_filled_in_is_bounded_over_all_texts_together() -> None:
    name = replace(TICK, job="x" * 200)
    assert len(render("args", "{job}" * (LONGEST // 200), name)) == LONGEST
    assert "longer than 100,000 characters" in refusal("{job}" * (LONGEST // 200 + 1), name)
    half = "{job}" * (LONGEST // 400) + "x"
    assert "longer than 100,000 characters" in refusal({"a": half, "b": half}, name)


def test_a_long_text_without_braces_is_none_of_the_bound_s_business() -> None:
    assert render("args", ["x" * (LONGEST + 1)], TICK) == ["x" * (LONGEST + 1)]


def nested(value: Any, levels: int, wrap: Callable[[Any], Any]) -> Any:
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"k": value}], ids=["lists", "objects"])
def test_what_is_nested_too_deep_is_refused(wrap: Callable[[Any], Any]) -> None:
    assert render("args", nested("{attempt}", DEEPEST, wrap), TICK) == nested("2", DEEPEST, wrap)
    assert "nested deeper than 100 levels" in refusal(nested("{attempt}", DEEPEST + 1, wrap))
    assert "nested deeper than 100 levels" in refusal(literal(nested("{attempt}", 5000, wrap)))


@given(values(without_texts() | texts.filter(lambda text: "{" not in text and "}" not in text)))
def test_any_value_without_braces_is_left_as_it_is(value: Any) -> None:
    assert render("args", value, TICK) == value


@given(values(without_texts() | texts | braced))
def test_any_value_comes_back_from_its_literal_template(value: Any) -> None:
    assert render("args", literal(value), TICK) == value


@given(values(without_texts() | templates))
def test_whatever_the_template_there_is_a_bounded_text_or_the_one_error(value: Any) -> None:
    rendered, refused = value, "args"
    try:
        rendered = render("args", value, TICK)
    except TemplateError as error:
        refused = str(error)
    assert refused.startswith("args")
    assert len(refused) < 1000
    for before, after in zip(texts_in(value), texts_in(rendered), strict=True):
        assert before == after or len(after) <= LONGEST


@given(st.sampled_from([*PLACEHOLDERS, "0", "", "self"]), st.from_regex(r"(\.\w+|\[\w*\])+", fullmatch=True))
def test_a_walk_into_attributes_or_items_is_always_refused(name: str, walk: str) -> None:
    refusal("{" + name + walk + "}")
