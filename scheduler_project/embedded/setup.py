"""What has to be done before the applications start: migrations, static files, administrator, examples.

`python -m scheduler_project.embedded.setup` runs under the supervisor; its failure ends the run.
"""

import sys
import time

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import OperationalError, connection
from redis import Redis
from redis.exceptions import RedisError

from scheduler_project import environment
from scheduler_project.embedded.administrator import administrator

PATIENCE = 60.0  # seconds for the servers to answer


def main() -> int:
    """Does all of it, in order, each step harmless when repeated."""
    django.setup()
    if problem := _wait_for_servers():
        print(problem, file=sys.stderr)
        return 1
    call_command("migrate", interactive=False, verbosity=1)
    call_command("collectstatic", interactive=False, verbosity=0)
    _create_administrator()
    if settings.EXAMPLES:
        call_command("load_examples")
    return 0


def _wait_for_servers() -> str | None:
    """Returns when both answer, or with the reason why one does not."""
    deadline = time.monotonic() + PATIENCE
    while (problem := _problem()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return problem


def _problem() -> str | None:
    try:
        connection.ensure_connection()
        with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except OperationalError as error:
        return f"DATABASE_URL: PostgreSQL does not answer: {error}"
    except RedisError as error:
        return f"REDIS_URL: Redis does not answer: {error}"
    return None


def _create_administrator() -> None:
    login = administrator(environment.home(settings.BASE_DIR))
    users = get_user_model().objects
    if not (user := users.filter(username=login.username).first()):
        users.create_superuser(login.username, email="", password=login.password)
        print(f"created the administrator {login.username}")
    elif not user.check_password(login.password):
        print(f"{login.username} has another password in this database; the kept one opens Flower only")


if __name__ == "__main__":
    sys.exit(main())
