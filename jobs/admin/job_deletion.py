"""Delete jobs with all their runs, however many those are.

Django's own deletion would load every run, and list them all on the page that asks for confirmation.
"""

from collections.abc import Iterable

from django.db import connection, transaction

from jobs.models import Job, Run

MOST_COUNTED = 10_000


def what_goes(job_ids: Iterable[int]) -> str:
    """How many runs go with the jobs."""
    runs = Run.objects.filter(job_id__in=list(job_ids))[: MOST_COUNTED + 1].count()
    return f"more than {MOST_COUNTED:,}" if runs > MOST_COUNTED else f"{runs:,}"


def delete_jobs(job_ids: Iterable[int]) -> None:
    """Delete the jobs, their runs and the attempts of those. What is being executed is stopped by its worker."""
    ids = list(job_ids)
    with transaction.atomic(), connection.cursor() as cursor:
        # The tick takes the same lock, so no run is made meanwhile.
        list(Job.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
        for statement in (
            "DELETE FROM jobs_attempt USING jobs_run AS run WHERE run.id = run_id AND run.job_id = ANY(%s)",
            "DELETE FROM jobs_run WHERE job_id = ANY(%s)",
            "DELETE FROM jobs_adjustment WHERE job_id = ANY(%s)",
            "DELETE FROM jobs_backfill WHERE job_id = ANY(%s)",
            "DELETE FROM jobs_upstream WHERE ARRAY[job_id, upstream_id] && %s::bigint[]",
            "DELETE FROM jobs_canary WHERE job_id = ANY(%s)",
            "DELETE FROM jobs_job WHERE id = ANY(%s)",
        ):
            cursor.execute(statement, [ids])
