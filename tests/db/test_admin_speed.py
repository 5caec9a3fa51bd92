"""The lists stay fast with many jobs and runs: few queries, none of which reads a table from end to end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs.admin import paginator
from jobs.models import Job, Run
from tests.db.admin_site import JOBS, RUNS
from tests.factories import make_job, make_worker

JOB_ROWS, RUN_ROWS = 20_000, 100_000

MANY_JOBS = """
INSERT INTO jobs_job (name, description, task, args, kwargs, schedule, timezone, enabled, queue, priority, timeout,
                      retry_policy, max_retries, retry_delay, retry_cap, retry_jitter, overlap, missed, grace, keep,
                      next_run_at, planned)
SELECT 'job ' || lpad(n::text, 6, '0'), '', 'probe.add', '[]', '{}', '*/5 * * * *', 'UTC', true, 'celery', 5, 60,
       'none', 0, 10, 60, true, 'allow', 'skip', 60, 30, now() + n * interval '1 second', true
  FROM generate_series(1, %s) AS n
"""

MANY_RUNS = """
INSERT INTO jobs_run (id, job_id, trigger, scheduled_for, task, args, kwargs, queue, priority, timeout, state, reason,
                      created_at, due_at, started_at, finished_at, worker_name)
SELECT (lpad(to_hex((1780000000000 + n)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
       job.id, 'schedule', now() - n * interval '1 second', 'probe.add', '[]', '{}', 'celery', 5, 60,
       CASE WHEN n %% 1000 = 0 THEN 'failed' ELSE 'succeeded' END, '',
       now(), now(), now(), now(), 'worker@test'
  FROM generate_series(1, %s) AS n JOIN jobs_job AS job ON job.name = 'job ' || lpad((n %% %s + 1)::text, 6, '0')
"""


@pytest.fixture
def many(db: None) -> Iterator[None]:
    """A moderately large ledger, with the planner's statistics."""
    with connection.cursor() as cursor:
        cursor.execute(MANY_JOBS, [JOB_ROWS])
        cursor.execute(MANY_RUNS, [RUN_ROWS, JOB_ROWS])
        cursor.execute("ANALYZE jobs_job, jobs_run")
    yield
    assert Run.objects.count() == RUN_ROWS


def queries_of(client: Client, address: str, query: dict[str, str]) -> list[str]:
    """The queries that a page makes."""
    client.get(address, query)  # what is cached for good, such as content types, is not the page's
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address, query).status_code == 200
    return [entry["sql"] for entry in captured.captured_queries]


def explained(sql: str) -> str:
    """The planner's plan, as JSON."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        return json.dumps(cursor.fetchone()[0])


def scanned(sql: str) -> set[str]:
    """The tables that a query reads from end to end, by the planner's own word."""
    return set(_scans(json.loads(explained(sql))[0]["Plan"]))


def _scans(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for child in node.get("Plans", []):
        yield from _scans(child)


RUN_QUERIES: list[dict[str, str]] = [
    {},
    {"p": "50"},
    {"state": "failed"},
    {"state": "live"},
    {"state": "retrying"},
    {"made": "day"},
    {"q": "job 0100"},
    {"q": "job 004242"},
    {"q": "01973f0e-5c00-7000-8000-000000000001"},
]

JOB_QUERIES: list[dict[str, str]] = [
    {},
    {"p": "100"},
    {"condition": "enabled"},
    {"condition": "set-aside"},
    {"q": "job 0042"},
    {"o": "4"},
]


@pytest.mark.usefixtures("many")
def test_the_list_of_runs_reads_no_table_of_runs_from_end_to_end(admin_client: Client) -> None:
    one_job = {"job__id__exact": str(Job.objects.order_by("pk")[4242].pk)}
    for query in [*RUN_QUERIES, one_job]:
        queries = queries_of(admin_client, reverse(RUNS), query)
        assert len(queries) <= 9, "\n".join(queries)
        for sql in queries:
            if "jobs_run" in sql:
                assert "jobs_run" not in scanned(sql), sql


@pytest.mark.usefixtures("many")
def test_the_list_of_jobs_asks_few_questions_and_reads_few_runs(admin_client: Client) -> None:
    for query in JOB_QUERIES:
        queries = queries_of(admin_client, reverse(JOBS), query)
        assert len(queries) <= 7, "\n".join(queries)
        [recent] = [sql for sql in queries if "jobs_run" in sql]
        assert "jobs_run" not in scanned(recent)
        assert "run_of_job" in explained(recent)


@pytest.mark.usefixtures("many")
def test_counts_stop_at_the_cap(admin_client: Client) -> None:
    answer: Any = admin_client.get(reverse(RUNS))
    assert answer.context["cl"].result_count == paginator.CAP
    assert f"more than {paginator.CAP} runs" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", [JOBS, RUNS, "admin:jobs_worker_changelist"])
def test_more_rows_make_no_more_queries(admin_client: Client, name: str) -> None:
    def fill() -> None:
        with connection.cursor() as cursor:
            cursor.execute(MANY_RUNS, [40, 40])

    for number in range(1, 41):
        make_job(name=f"job {number:06}", queue=f"queue {number}")
        make_worker(name=f"worker-{number}@test")
    before = len(queries_of(admin_client, reverse(name), {}))
    fill()
    assert len(queries_of(admin_client, reverse(name), {})) == before
