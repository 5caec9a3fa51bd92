"""The overlap policy: whether a tick may start a run beside an earlier one."""

from uuid import uuid4

import pytest

from jobs.policies.overlap import reason_to_skip


@pytest.mark.parametrize("kind", ["allow", "skip"])
def test_nothing_stands_in_the_way_of_a_tick_without_a_live_run(kind: str) -> None:
    assert reason_to_skip(kind, None) == ""


def test_allow_lets_runs_overlap() -> None:
    assert reason_to_skip("allow", uuid4()) == ""


def test_skip_names_the_run_that_had_not_ended() -> None:
    live = uuid4()
    assert reason_to_skip("skip", live) == f"the earlier run {live} had not ended"
