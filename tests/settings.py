"""The project's settings, plus the tests' own tasks and the values a test asks its processes to use."""

import json
import os

from scheduler_project.settings import *  # noqa: F403
from scheduler_project.settings import CARILLON

CELERY_IMPORTS = [] if "WITHOUT_PROBES" in os.environ else ["tests.probes"]
CARILLON = {**CARILLON, **json.loads(os.environ.get("TEST_CARILLON", "{}"))}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
