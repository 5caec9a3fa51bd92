"""The graph of jobs that run after others, as it is in the database. A cycle in it ends no walk."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from django.db import connection

ALL_EDITS = 0x6361726C
"""The advisory lock of whoever adds to the graph: two edits that together would make a cycle must see each other."""


class Edge(NamedTuple):
    """One job after another."""

    job_id: int
    upstream_id: int


_BELOW = """
WITH RECURSIVE found(id) AS (
    SELECT unnest(%s::bigint[])
     UNION
    SELECT edge.job_id FROM jobs_upstream AS edge JOIN found ON edge.upstream_id = found.id)
SELECT edge.job_id, edge.upstream_id FROM jobs_upstream AS edge JOIN found ON edge.upstream_id = found.id
"""
_ABOVE = """
WITH RECURSIVE found(id) AS (
    SELECT unnest(%s::bigint[])
     UNION
    SELECT edge.upstream_id FROM jobs_upstream AS edge JOIN found ON edge.job_id = found.id)
SELECT edge.job_id, edge.upstream_id FROM jobs_upstream AS edge JOIN found ON edge.job_id = found.id
"""


def edges_below(job_ids: Collection[int]) -> list[Edge]:
    """All that lead down from these jobs, however far."""
    return _edges(_BELOW, job_ids)


def edges_above(job_ids: Collection[int]) -> list[Edge]:
    """All that lead up from these jobs, however far."""
    return _edges(_ABOVE, job_ids)


def _edges(question: str, job_ids: Collection[int]) -> list[Edge]:
    if not job_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(question, [list(job_ids)])
        return [Edge(*row) for row in cursor.fetchall()]


def downwards(edges: Iterable[Edge]) -> dict[int, set[int]]:
    """The jobs right after each."""
    below: dict[int, set[int]] = {}
    for job_id, upstream_id in edges:
        below.setdefault(upstream_id, set()).add(job_id)
    return below


def upwards(edges: Iterable[Edge]) -> dict[int, set[int]]:
    """The jobs right before each."""
    return downwards(Edge(upstream_id, job_id) for job_id, upstream_id in edges)


def wait_for_other_edits() -> None:
    """Let nobody else add to the graph until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ALL_EDITS])
