"""The one clock that decides: the database's."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The database's time, aware, in UTC. Hosts may disagree with it and with each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now
