"""Load the example jobs: each one once, whatever becomes of it afterwards."""

import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.db import transaction

from examples.catalogue import Example
from examples.files import folder
from examples.models import LoadedExample
from jobs.models import Job
from jobs.trigger import run_now

DATA = Path(__file__).parent / "data"


def load(examples: Iterable[Example], now: datetime) -> list[Example]:
    """Create the jobs of the examples that were never loaded; which ones.

    A job that an operator has edited, deleted, or already called by an example's name is left alone.
    """
    return [example for example in examples if _load(example, now)]


def provide_files() -> None:
    """The folders and the file on which the example jobs work; a file that is there is left as it is."""
    for name in ("backups", "reports"):
        folder(name)
    target = folder("") / "contacts.csv"
    if not target.exists():
        shutil.copyfile(DATA / target.name, target)


@transaction.atomic
def _load(example: Example, now: datetime) -> bool:
    # The unique name makes a second loader wait here until the first has committed, and then pass over.
    _, new = LoadedExample.objects.get_or_create(name=example.name)
    if not new or Job.objects.filter(name=example.name).exists():
        return False
    job = Job(
        name=example.name,
        description=example.description,
        task=example.task,
        schedule=example.schedule,
        timezone=example.timezone,
        kwargs=example.kwargs,
        **example.fields,
    )
    job.full_clean()
    job.save()
    if example.at_once:
        run_now(job.pk, now)
    return True
