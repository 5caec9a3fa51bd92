"""Hypothesis strategies for schedule texts and moments."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

ZONES = ("UTC", "Europe/Riga", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo")

# The days on which the clocks of these zones change, and one on which none does.
CHANGES = {
    "UTC": ("2026-03-01",),
    "Europe/Riga": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
    "America/Sao_Paulo": ("2018-11-04", "2018-02-18"),
    "Pacific/Apia": ("2011-12-30", "2012-04-01"),
}


def field(low: int, high: int, *, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """One field of the dialect that every cron shares: stars, steps, ranges, values and lists of them."""
    number = st.integers(low, high)
    step = st.integers(1, 7)
    span = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1])
    item = st.one_of(
        number.map(str),
        span.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(span, step).map(lambda parts: f"{parts[0][0]}-{parts[0][1]}/{parts[1]}"),
        *([st.sampled_from(names)] if names else []),
    )
    lists = st.lists(item, min_size=1, max_size=4).map(",".join)
    return st.one_of(st.just("*"), step.map(lambda size: f"*/{size}"), lists)


MINUTES = field(0, 59)
# Clocks change at night, so most hours are early ones.
HOURS = st.one_of(field(0, 4), field(0, 23))
DATES = st.one_of(st.just("*"), field(1, 31))
MONTHS = st.one_of(st.just("*"), field(1, 12, names=("JAN", "APR", "OCT", "DEC")))
WEEKDAYS = st.one_of(
    st.just("*"), field(0, 7, names=("SUN", "MON", "SAT")), st.sampled_from(("1#2", "SUN#1", "5L", "0L"))
)
SHARED_TEXTS = st.tuples(MINUTES, HOURS, DATES, MONTHS, WEEKDAYS).map(" ".join)

_OWN_DATES = st.one_of(DATES, st.sampled_from(("?", "L", "L-3", "LW", "15W", "L-3W", "1W,31W", "H", "H(5-9)")))
_OWN_WEEKDAYS = st.one_of(WEEKDAYS, st.sampled_from(("?", "FRIL", "SAT-SUN", "MON#5", "H")))
_OWN_MINUTES = st.one_of(MINUTES, st.sampled_from(("H", "H/15", "H(0-29)")))
_SECONDS = field(0, 59)
_YEARS = st.sampled_from(("*", "2018", "2026-2028", "2011/3", "2100"))
_FIVE = st.tuples(_OWN_MINUTES, HOURS, _OWN_DATES, MONTHS, _OWN_WEEKDAYS).map(" ".join)
_SIX = st.tuples(_SECONDS, _FIVE).map(" ".join)
_SEVEN = st.tuples(_SIX, _YEARS).map(" ".join)
_EVERY = st.integers(1, 400_000).map(lambda seconds: f"@every {seconds}s")
_AT = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)).map(lambda time: f"@at {time:%Y-%m-%dT%H:%M:%S}")  # noqa: DTZ001
_MACROS = st.sampled_from(("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"))
ALL_TEXTS = st.one_of(_FIVE, _SIX, _SEVEN, _EVERY, _AT, _MACROS)

# What becomes of the times that a clock change skips or repeats.
OPTIONS = st.fixed_dictionaries(
    {"gap": st.sampled_from(("after", "skip")), "repeated": st.sampled_from(("first", "second", "both"))}
)


@st.composite
def change_days(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and the start, in UTC, of a day on which its clock changes."""
    zone = draw(st.sampled_from(tuple(CHANGES)))
    return zone, datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a moment, most often near a change of its clock, often within a second."""
    zone, day = draw(change_days())
    near = timedelta(seconds=draw(st.integers(-200_000, 200_000)))
    far = timedelta(days=draw(st.sampled_from((0, 0, 0, 1, 100, 3000))))
    return zone, day + near + far + timedelta(microseconds=draw(st.sampled_from((0, 0, 1, 999_999))))
