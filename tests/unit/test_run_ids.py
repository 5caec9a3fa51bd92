"""Run ids: UUIDs of version 7 that sort by time."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from jobs.births import new_run_id
from tests.factories import NOON

FIRST = datetime(1970, 1, 2, tzinfo=UTC)
moments = st.integers(0, 229 * 365 * 86_400 * 10**6).map(
    lambda microseconds: FIRST + timedelta(microseconds=microseconds)
)


@given(moments)
def test_an_id_has_the_layout_of_version_7(moment: datetime) -> None:
    run_id = new_run_id(moment)
    assert run_id.version == 7
    assert run_id.variant == RFC_4122
    milliseconds = int.from_bytes(run_id.bytes[:6], "big")
    assert milliseconds == int(moment.timestamp() * 1000)


@given(moments, moments)
def test_ids_sort_by_time_as_numbers_and_as_text(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))
    if later - earlier >= timedelta(milliseconds=1):
        assert new_run_id(earlier) < new_run_id(later)
        assert str(new_run_id(earlier)) < str(new_run_id(later))


def test_many_ids_of_one_moment_are_all_different() -> None:
    assert len({new_run_id(NOON) for _ in range(20_000)}) == 20_000


def test_every_random_bit_is_used() -> None:
    ids = [new_run_id(NOON).int for _ in range(2_000)]
    random_bits = ((1 << 12) - 1) << 64 | (1 << 62) - 1
    ones = zeros = 0
    for number in ids:
        ones |= number
        zeros |= ~number
    assert ones & random_bits == random_bits
    assert zeros & random_bits == random_bits
