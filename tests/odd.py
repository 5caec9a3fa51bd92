"""Odd input from fuzzers: texts, schedules, zones, numbers, moments and JSON that nobody should send."""

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FUZZED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

ODD_TEXTS = [
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "\N{RIGHT-TO-LEFT OVERRIDE}",
        "\ufeff",
        "é" * 201,
        "😀" * 200,
        "\x00" * 9,
        "x" * 100_000,
    ),
    *("'; DROP TABLE jobs_job; --", "{{ 7 * 7 }}", "%s %(a)s {0} {", "../../etc/passwd", "\r\nSet-Cookie: a=b"),
]
CRON_PARTS = [
    *("*", "?", "L", "LW", "W", "#", "0", "7", "59", "60", "-1", "99999999999999999999", "1-5", "5-1", "*/0", "*/7"),
    *("H", "H/0", "H/7", "1,2,,3", "MON#5", "MON#6", "FRIL", "B", "2B", "-3B", "LB-40", "L-40", "٣", "1e3", "0x1"),
    *("15W", "32", "32W", "FEB", "2099", "2100", "1970-2199/7", "*,*", "*/99999999", "0-59/60"),
]
CRONS = [
    *(
        "@every 0s",
        "@every 1ms",
        "@every 99999999999h",
        "@every -1h",
        "@every 1e9s",
        "@every",
        "@at",
        "@after",
        "@reboot",
    ),
    *("@at 9999-12-31T23:59:59", "@at 0001-01-01T00:00", "@at 10000-01-01T00:00", "@at 2026-02-30T00:00", "@at NaN"),
    *("0 0 30 2 *", "0 0 0 29 2 ? 2099", "0 0 31 2,4 *", "0 0 0 1 1 ? 1970", "* * * * * * *", "0 0 29 2 MON"),
]
ZONES = [
    *("UTC", "Europe/Riga", "europe/riga", "Europe", "Europe/", "/etc/localtime", "../UTC", "posix/UTC", "right/UTC"),
    *("posixrules", "localtime", "Factory", "zone.tab", "leapseconds", "Etc/GMT+14", "Africa/Monrovia", "GMT0", "UTC "),
]
NUMBERS = ["", "-0", "1.5", "1e3", "1e309", "NaN", "Infinity", "0x10", "٣", " 5 ", "1_000", "9" * 5_000, "\x00"]
MOMENTS = ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-03-29 03:30:00", "2026-13-01 00:00:00", "\x00", "now"]
JSONS = [
    *("null", "NaN", "[NaN]", "[1e999]", "[-Infinity]", '["\\u0000"]', '{"\\u0000": 1}', '["\\ud800"]', "[" * 100_000),
    *(
        "[" * 500 + "]" * 500,
        f"[{'9' * 5_000}]",
        '{"a": 1, "a": 2}',
        "[1,]",
        "'a'",
        '"text"',
        "7",
        "[1] x",
        '{"a":' * 999,
    ),
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.sampled_from(ODD_TEXTS)
crons = st.one_of(
    texts,
    st.lists(st.sampled_from(CRON_PARTS), max_size=8).map(" ".join),
    st.lists(st.sampled_from(CRON_PARTS), min_size=5, max_size=7).map(" ".join),
    st.sampled_from(CRONS),
    st.from_regex(r"@(every|at) [0-9TZ:.+hms-]{1,24}", fullmatch=True),
)
zones = texts | st.sampled_from(ZONES)
numbers = st.integers(-(2**70), 2**70).map(str) | st.integers(-3, 400).map(str) | st.sampled_from(NUMBERS)
moments = st.datetimes().map(str) | st.sampled_from(MOMENTS)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
jsons = texts | values.map(json.dumps) | st.sampled_from(JSONS)

FORM: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(["name", "description", "task", "queue", "key", "breaker_exceptions", "never_retry"], texts),
    **dict.fromkeys(["args", "kwargs"], jsons),
    **dict.fromkeys(["starts_at", "ends_at"], moments),
    **dict.fromkeys(["priority", "timeout", "expires", "max_retries", "retry_delay", "retry_cap", "keep"], numbers),
    **dict.fromkeys(
        ["grace", "overlap_limit", "missed_limit", "jitter", "shards", "max_running", "key_limit"], numbers
    ),
    **dict.fromkeys(["breaker_failures", "breaker_percent", "breaker_window", "breaker_pause"], numbers),
    **dict.fromkeys(["overlap", "missed", "retry_policy", "gap", "repeated", "fan_out", "on_calendar"], texts),
    **dict.fromkeys(["calendar", "pool"], texts | numbers),
    **dict.fromkeys(["upstream_rule", "templated", "enabled"], texts),
    "schedule": crons,
    "timezone": zones,
}
"""What may be sent for each field of a job's form."""


def json_or_text(text: str) -> Any:
    """What the text says as JSON, or else itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


MODEL: dict[str, st.SearchStrategy[Any]] = {
    **{name: field for name, field in FORM.items() if name not in ("calendar", "pool")},
    "expires": numbers.filter(bool),  # an empty text is a value to forms only
    **dict.fromkeys(["max_running", "key_limit", "breaker_failures", "breaker_percent"], numbers.filter(bool)),
    **dict.fromkeys(["args", "kwargs"], values | jsons.map(json_or_text)),
    **dict.fromkeys(["starts_at", "ends_at"], st.datetimes(timezones=st.timezones() | st.none()) | moments),
}
"""What may be assigned to each field of a job."""


@st.composite
def changes(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    """One to three fields, each with something odd in it; the schedule more often than the others."""
    names = draw(st.lists(st.sampled_from([*fields, *["schedule"] * 12, *["timezone"] * 4]), min_size=1, max_size=3))
    return {name: draw(fields[name]) for name in names}
