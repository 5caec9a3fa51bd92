"""What has to be done before the services start: migrations, an administrator, the example jobs.

`python -m deploy.setup` does all of it; each step is harmless when repeated. The administrator is called by
ADMIN_USERNAME (admin) and gets ADMIN_PASSWORD when it is created; a password that was changed since stays.
"""

import os
import sys

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command

from scheduler_project import environment


def main() -> int:
    """Does the steps in order; an error ends the process, and the services do not start."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scheduler_project.settings")
    django.setup()
    call_command("migrate", interactive=False)
    create_administrator(environment.text("ADMIN_USERNAME", default="admin"), environment.text("ADMIN_PASSWORD"))
    if environment.flag("EXAMPLES", default=True):
        call_command("load_examples")
    return 0


def create_administrator(username: str, password: str) -> None:
    """The administrator, if there is none of that name."""
    users = get_user_model().objects
    if users.filter(username=username).exists():
        return
    users.create_superuser(username, email="", password=password)
    sys.stdout.write(f"created the administrator {username}\n")


if __name__ == "__main__":
    sys.exit(main())
