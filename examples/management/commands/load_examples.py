"""Create the example jobs that were never loaded before."""

from typing import Any

from django.core.management.base import BaseCommand

from examples import conf
from examples.catalogue import EXAMPLES
from examples.load import load, provide_files
from jobs.clock import database_now


class Command(BaseCommand):
    """Load the examples; harmless when repeated, and never at the cost of an operator's edit or deletion."""

    help = "Create the example jobs that were never loaded before, and the files on which they work."

    def handle(self, *args: Any, **options: Any) -> None:
        provide_files()
        loaded = load(EXAMPLES, database_now())
        for example in loaded:
            now = ", and now" if example.at_once else ""
            self.stdout.write(f"example job: {example.name} ({example.schedule} {example.timezone}{now})")
        left = len(EXAMPLES) - len(loaded)
        self.stdout.write(f"{len(loaded)} example jobs created, {left} loaded before; files in {conf.directory()}")
