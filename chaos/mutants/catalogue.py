"""The safeguards, each with the change that takes it away and the cheapest tests that ought to notice."""

from dataclasses import dataclass

CLAIM = "jobs/transitions/claim.py"
MOVES = "jobs/transitions/moves.py"
WATCHDOG = "jobs/worker/watchdog.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A small change of the text: in each file `old`, which must be there exactly once, becomes `new`."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]


def _mutant(name: str, path: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, ((path, old, new),), tests)


MUTANTS = (
    _mutant(
        "the unique constraint on ticks is removed",
        "jobs/migrations/0001_initial.py",
        "fields=('job', 'scheduled_for', 'shard'), name='run_one_per_tick'",
        "fields=('id',), name='run_one_per_tick'",
        "tests/db/test_constraints.py::test_a_tick_has_one_row_whatever_its_state",
        "tests/db/test_constraints.py::test_a_second_row_for_a_tick_is_refused_also_behind_our_back",
    ),
    _mutant(
        "a tick that has its row is an error instead of nothing",
        "jobs/births.py",
        "\nON CONFLICT DO NOTHING\n",
        "\n",
        "tests/db/test_tick.py::test_ticking_again_for_the_same_moment_makes_no_second_row",
    ),
    _mutant(
        "the attempt's guard in every move is removed",
        MOVES,
        "        runs = runs.filter(attempt=attempt)\n",
        "        pass\n",
        "tests/db/test_transitions.py::test_a_move_for_another_attempt_changes_nothing",
        "tests/db/test_claim.py::test_a_zombie_that_wakes_up_after_rescue_changes_nothing",
    ),
    _mutant(
        "the state's guard in every move is removed",
        MOVES,
        "filter(pk=run_id, state__in=_checked(sources, target))",
        "filter(pk=run_id)",
        "tests/db/test_transitions.py::test_a_move_wins_from_its_sources_and_changes_nothing_elsewhere",
    ),
    _mutant(
        "a run that has started is marked queued again",
        MOVES,
        " AND run.attempt = sent.attempt AND run.state = 'scheduled'",
        " AND run.attempt = sent.attempt",
        "tests/db/test_dispatch.py::test_a_worker_that_is_faster_than_the_mark_is_not_set_back",
    ),
    _mutant(
        "the claim's attempt guard is removed",
        CLAIM,
        "run.id = %(run_id)s AND run.attempt = %(attempt)s",
        "run.id = %(run_id)s",
        "tests/db/test_transitions.py::test_a_move_for_another_attempt_changes_nothing",
    ),
    _mutant(
        "the claim's state guard is removed",
        CLAIM,
        "(run.state IN ('scheduled', 'queued')\n",
        "(TRUE\n",
        "tests/db/test_claim.py::test_a_duplicate_message_loses",
        "tests/db/test_claim.py::test_of_eight_claims_at_the_same_moment_exactly_one_wins",
    ),
    _mutant(
        "the lease's comparison in the claim is off by one",
        CLAIM,
        "worker.lease_until > clock.now",
        "worker.lease_until >= clock.now",
        "tests/db/test_claim.py::test_a_worker_whose_lease_has_ended_claims_nothing",
    ),
    _mutant(
        "the lease's comparison in the claim is turned round",
        CLAIM,
        "worker.lease_until > clock.now",
        "worker.lease_until < clock.now",
        "tests/db/test_claim.py::test_a_worker_whose_lease_has_ended_claims_nothing",
    ),
    _mutant(
        "the lease's comparison in rescue is off by one",
        "jobs/rescue.py",
        "lease_until__lt=now",
        "lease_until__lte=now",
        "tests/db/test_rescue.py",
    ),
    Mutant(
        "the watchdog is removed, in the parent and in the pool's processes",
        (
            (WATCHDOG, "            if LEASE_CLOCK.over:\n", "            if False:\n"),
            (WATCHDOG, "if LEASE_CLOCK.over and is_executing():", "if False:"),
        ),
        ("tests/process/test_worker_deaths.py::test_a_worker_that_cannot_reach_the_database_kills_what_it_runs",),
    ),
    _mutant(
        "the watchdog of a pool's process is removed, as the witness of the fault suite sees it",
        WATCHDOG,
        "if LEASE_CLOCK.over and is_executing():",
        "if False:",
        "chaos/scenarios/test_workers.py::test_the_parent_of_a_pool_freezes",
    ),
    _mutant(
        "the claim's state guard is removed, as the witness of the fault suite sees it",
        CLAIM,
        "(run.state IN ('scheduled', 'queued')\n",
        "(TRUE\n",
        "chaos/scenarios/test_messages.py::test_messages_are_mangled[double]",
    ),
    _mutant(
        "the watchdog of a pool's process is removed",
        WATCHDOG,
        "if LEASE_CLOCK.over and is_executing():",
        "if False:",
        "tests/process/test_worker_deaths.py::test_a_frozen_parent_loses_its_run_and_the_child_kills_itself_in_time",
    ),
    _mutant(
        "the watchdog does not look for killed processes",
        WATCHDOG,
        "            self._look_for_deaths()\n",
        "",
        "tests/process/test_worker_deaths.py::test_a_killed_pool_process_is_noticed_while_redis_is_frozen",
    ),
    _mutant(
        "the lock is not looked at before each batch",
        "jobs/round.py",
        "while result.unfinished and trusted() and monotonic() < end:",
        "while result.unfinished and monotonic() < end:",
        "tests/db/test_round.py::test_trust_is_looked_at_before_every_batch",
    ),
    _mutant(
        "the lock is trusted until its very end",
        "jobs/leader.py",
        " + conf().lock_ttl - conf().lock_margin",
        " + conf().lock_ttl",
        "tests/db/test_leader.py::test_trust_ends_before_the_lock_does",
    ),
    _mutant(
        "a beat waits for rows that another has locked",
        "jobs/tick.py",
        "select_for_update(skip_locked=True)",
        "select_for_update()",
        "tests/db/test_tick_races.py::test_a_job_that_another_beat_has_locked_is_passed_by_without_waiting",
    ),
    _mutant(
        "the row lock of a tick is removed",
        "jobs/tick.py",
        "query.select_for_update(skip_locked=True)[:limit]",
        "query[:limit]",
        "tests/db/test_tick_races.py::test_a_job_that_another_beat_has_locked_is_passed_by_without_waiting",
    ),
    _mutant(
        "runs are marked queued before they are sent",
        "jobs/dispatch.py",
        "    sent = _send(messages, publish, now)\n",
        "    queue([message.ticket for message in messages], now, conf().message_timeout)\n"
        "    sent = _send(messages, publish, now)\n",
        "tests/db/test_dispatch.py::test_a_due_run_is_published_outside_of_any_transaction_and_then_marked_queued",
    ),
    _mutant(
        "the cap of the retries' waits is ignored",
        "jobs/policies/retry.py",
        "    full = min(full, rules.cap)\n",
        "",
        "tests/unit/test_retry_policy.py",
    ),
    _mutant(
        "one retry more than the job allows",
        "jobs/policies/retry.py",
        "if retries >= rules.max_retries:",
        "if retries > rules.max_retries:",
        "tests/unit/test_retry_policy.py",
    ),
    _mutant(
        "a run may kill its workers once more",
        "jobs/losses.py",
        "if losses >= conf().max_losses:",
        "if losses > conf().max_losses:",
        "tests/db/test_rescue.py::test_a_run_that_loses_its_worker_three_times_is_set_aside_as_poison",
    ),
    _mutant(
        "a pool has one slot more than it says",
        "jobs/limits_sql.py",
        "pool.slots - coalesce(sum(held.runs), 0) AS slots_left",
        "pool.slots + 1 - coalesce(sum(held.runs), 0) AS slots_left",
        "tests/db/test_limits.py::test_a_pool_is_shared_by_its_jobs_and_a_change_of_its_slots_counts_at_once",
    ),
    _mutant(
        "a tick that is to be skipped starts beside the earlier run",
        "jobs/policies/overlap.py",
        'if rules.kind == "allow" or',
        'if rules.kind in ("allow", "skip") or',
        "tests/unit/test_overlap_policy.py",
    ),
    _mutant(
        "all queued runs are sent again when one message is lost",
        "jobs/rescue.py",
        "overdue[: min(missing, conf().batch)]",
        "overdue[: conf().batch]",
        "tests/db/test_rescue.py::test_only_as_many_are_sent_again_as_the_queue_is_short_of_and_the_oldest_first",
    ),
)
