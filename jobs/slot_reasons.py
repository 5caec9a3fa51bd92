"""What a run says that waits for a slot, as SQL: `job` and `pool` are rows of their tables, `pool` may be all null.

Nothing in a reason changes while the run waits for the same thing, so its row is written once.
"""

from typing import Final

BROKEN: Final = "'waits for the pool ' || pool.name || ', which is paused by its circuit breaker'"
POOL: Final = "'waits for a slot in the pool ' || pool.name || ' (' || pool.slots || ')'"
RATE: Final = "'waits for the rate of the pool ' || pool.name || ' (' || pool.rate || ' in ' || pool.period || ' s)'"
JOB: Final = "'waits for a slot of the job (limit ' || job.max_running || ')'"


def of_key(key: str) -> str:
    """That of a run whose key is the SQL expression `key`."""
    return f"'waits for the key ' || {key} || ' (limit ' || job.key_limit || ')'"


def likely(key: str) -> str:
    """What a new run says until admission has looked at it: by far most jobs have one kind of limit."""
    return f"""CASE WHEN pool.circuit <> 'closed' THEN {BROKEN} WHEN pool.slots IS NOT NULL THEN {POOL}
            WHEN pool.rate IS NOT NULL THEN {RATE} WHEN job.max_running IS NOT NULL THEN {JOB}
            WHEN job.key_limit IS NOT NULL THEN {of_key(key)} ELSE 'waits for a slot' END"""


def filled_in(template: str, args: str, kwargs: str) -> str:
    """The key that the SQL expression `template` makes of the arguments, as `jobs.policies.keys` has it.

    A value that is missing is an empty text: who gives a run other arguments is refused before that.
    """
    return f"""(SELECT CASE WHEN length(made.key) <= 200 THEN made.key ELSE left(made.key, 168) || md5(made.key) END
           FROM (SELECT string_agg(part.found[1] || coalesce(CASE part.found[2]
                              WHEN 'args' THEN {args} #>> string_to_array(btrim(part.found[3], '[]'), '][')
                              WHEN 'kwargs' THEN {kwargs} #>> string_to_array(btrim(part.found[3], '[]'), '][')
                              END, ''), '' ORDER BY part.number) AS key
                   FROM regexp_matches({template}, '([^{{}}]*)(?:\\{{(args|kwargs)((?:\\[[^][{{}}]+\\])+)\\}})?', 'g')
                        WITH ORDINALITY AS part(found, number)) AS made)"""  # noqa: S608
