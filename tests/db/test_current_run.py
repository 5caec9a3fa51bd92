"""What a task sees of its run, and what it costs."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from jobs import current, transitions
from jobs.current import current_run, executing, is_executing
from jobs.models import Run
from jobs.states import State
from jobs.transitions import Claim, Ticket
from tests.connections import cut_this_connection
from tests.factories import NOON, reload, running_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of jobs.current, to be set."""
    now = [1000.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(current, "time", Clock)
    return now


@pytest.fixture
def claim() -> Claim:
    return running_run()[1]


def progress_of(claim: Claim) -> tuple[float | None, str]:
    run = reload(claim.ticket.run_id)
    return run.progress, run.progress_message


def test_outside_of_a_run_everything_is_a_harmless_stand_in() -> None:
    run = current_run()
    with CaptureQueriesContext(connection) as captured:
        run.progress(0.5, "half")
        assert not run.cancelled
    assert (bool(run), run.id, run.job, run.attempt, run.scheduled_for) == (False, None, "", 0, None)
    assert len(captured) == 0
    assert not is_executing()


def test_inside_of_a_run_the_task_sees_which_one(claim: Claim) -> None:
    with executing(claim):
        run = current_run()
        assert (bool(run), run.id, run.job) == (True, claim.ticket.run_id, claim.job_name)
        assert (run.attempt, run.scheduled_for) == (1, NOON)
        assert is_executing()
    assert not current_run()
    assert not is_executing()


def test_the_run_is_left_behind_also_when_the_task_raises(claim: Claim) -> None:
    with pytest.raises(SystemExit), executing(claim):
        raise SystemExit
    assert not current_run()
    assert not is_executing()


def test_progress_is_written_for_others_to_see(claim: Claim) -> None:
    with executing(claim):
        current_run().progress(0.25, "a quarter")
    assert progress_of(claim) == (0.25, "a quarter")


def test_progress_is_written_at_most_once_a_second_and_at_the_end_in_any_case(claim: Claim, clock: list[float]) -> None:
    with executing(claim), CaptureQueriesContext(connection) as captured:
        for step in range(100):
            current_run().progress(step / 100, f"step {step}")
        assert len(captured) == 1
        clock[0] += 1.0
        current_run().progress(0.995, "nearly")
        assert len(captured) == 2
        current_run().progress(1, "done")
        assert len(captured) == 3
    assert progress_of(claim) == (1.0, "done")


def test_inside_the_task_s_own_transaction_nothing_is_written(claim: Claim) -> None:
    with executing(claim), transaction.atomic(), CaptureQueriesContext(connection) as captured:
        current_run().progress(0.5)
        current_run().progress(1)
        assert len(captured) == 0
    assert progress_of(claim) == (None, "")


@pytest.mark.parametrize("fraction", [-0.01, 1.01, float("nan"), 50])
def test_a_fraction_that_is_none_is_refused_inside_and_outside(claim: Claim, fraction: float) -> None:
    with pytest.raises(ValueError, match="is not between 0 and 1"):
        current_run().progress(fraction)
    with executing(claim), pytest.raises(ValueError, match="is not between 0 and 1"):
        current_run().progress(fraction)


def test_an_odd_message_is_made_to_fit(claim: Claim) -> None:
    with executing(claim):
        current_run().progress(0.5, "\x00nul \ud800" + "x" * 300)
    fraction, message = progress_of(claim)
    assert fraction == 0.5
    assert message.startswith("nul ")
    assert len(message) == 255


def test_a_cancel_is_seen_within_a_second_and_asked_for_at_most_once_a_second(claim: Claim, clock: list[float]) -> None:
    with executing(claim):
        with CaptureQueriesContext(connection) as captured:
            assert not any(current_run().cancelled for _ in range(50))
        assert len(captured) == 1
        assert transitions.cancel(claim.ticket.run_id, "cancelled by someone")
        clock[0] += 1.0
        assert current_run().cancelled
        with CaptureQueriesContext(connection) as captured:
            assert current_run().cancelled
        assert len(captured) == 0


def test_a_run_that_was_given_to_another_attempt_looks_cancelled_to_the_old_one(claim: Claim) -> None:
    with executing(claim):
        Run.objects.update(attempt=2)
        assert current_run().cancelled


def test_progress_of_a_zombie_changes_nothing_and_tells_it_to_stop(claim: Claim, clock: list[float]) -> None:
    with executing(claim):
        assert not current_run().cancelled
        Run.objects.update(attempt=2)
        current_run().progress(0.5, "from the grave")
        assert current_run().cancelled
    assert progress_of(claim) == (None, "")


def test_a_connection_that_broke_fails_neither_progress_nor_the_question(claim: Claim, clock: list[float]) -> None:
    with executing(claim):
        run = current_run()
        cut_this_connection()
        run.progress(0.5)
        cut_this_connection()
        assert not run.cancelled
        clock[0] += 2
        run.progress(0.75, "on a new connection")
    assert progress_of(claim) == (0.75, "on a new connection")


def test_a_checkpoint_is_kept_for_the_next_attempt_and_written_at_most_once_a_second(
    claim: Claim, clock: list[float]
) -> None:
    with executing(claim) as run:
        assert current_run() is run
        assert run.last_checkpoint is None
        with CaptureQueriesContext(connection) as captured:
            for number in range(10):
                run.checkpoint({"next": number})
        assert len(captured) == 1
        assert reload(claim.ticket.run_id).checkpoint == {"next": 0}
        clock[0] += 1
        run.checkpoint({"next": 10})
        assert reload(claim.ticket.run_id).checkpoint == {"next": 10}
        run.checkpoint({"next": 11})
        run.keep()
    assert reload(claim.ticket.run_id).checkpoint == {"next": 11}, "what was held back is written afterwards"
    assert transitions.try_again(claim.ticket, [State.RUNNING], 0, {}, NOON)
    again = transitions.claim(Ticket(claim.ticket.run_id, 2), "probe.add", claim.claimant, 40, now=NOON)
    assert again is not None
    with executing(again):
        assert current_run().last_checkpoint == {"next": 11}


def test_a_checkpoint_inside_a_transaction_is_written_after_it(claim: Claim) -> None:
    with executing(claim) as run:
        with transaction.atomic():
            current_run().checkpoint({"page": 3})
            assert reload(claim.ticket.run_id).checkpoint is None
        run.keep()
    assert reload(claim.ticket.run_id).checkpoint == {"page": 3}


def test_a_zombie_keeps_nothing(claim: Claim) -> None:
    assert transitions.try_again(claim.ticket, [State.RUNNING], 0, {}, NOON)
    with executing(claim):
        current_run().checkpoint({"page": 3})
        assert current_run().cancelled
    assert reload(claim.ticket.run_id).checkpoint is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([1], "must be a JSON object"),
        ({"a": {1}}, "is not JSON"),
        ({"a": "\x00"}, "holds NUL"),
        ({"a": "x" * 20_000}, "20,009 characters are more than 16,384"),
    ],
)
def test_a_checkpoint_that_no_row_can_hold_is_refused_inside_and_outside(claim: Claim, data: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        current_run().checkpoint(data)
    with executing(claim), pytest.raises(ValueError, match=why):
        current_run().checkpoint(data)


def test_outside_of_a_run_a_checkpoint_is_harmless() -> None:
    current_run().checkpoint({"page": 3})
    assert current_run().last_checkpoint is None
