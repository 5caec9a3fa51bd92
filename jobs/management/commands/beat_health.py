"""Say whether the beats of this machine are healthy, for a container's health check."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.beat_health import beats


class Command(BaseCommand):
    """Exit 0 when every beat on this machine has ticked lately or stands by behind a live leader, 1 otherwise."""

    help = "Check that every beat on this machine ticks as leader, or stands by behind a live leader."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--max-age", type=float, default=10.0, help="Seconds a tick may lie back (default: 10).")

    def handle(self, *args: Any, max_age: float, **options: Any) -> None:
        found = list(beats())
        if not found:
            raise CommandError("no beat runs on this machine")
        for beat in found:
            self.stdout.write(f"beat {beat.pid}: {beat.role}, ticked {beat.age():.1f} s ago")
        stale = [beat for beat in found if beat.age() > max_age]
        if stale:
            raise CommandError(f"{len(stale)} of {len(found)} have not ticked for {max_age:g} s")
