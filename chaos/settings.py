"""The settings of processes under fault: the tests' own, with the failpoints that the environment asks for."""

import os

from chaos.failpoints import install
from tests.settings import *  # noqa: F403

PROBES = [] if "CHAOS_WITHOUT_PROBES" in os.environ else ["chaos.probes", "chaos.zoo", "chaos.untidy"]
MANGLED = ["chaos.mangled"] if "CHAOS_MANGLE" in os.environ else []
CELERY_IMPORTS = ["tests.probes", *PROBES, *MANGLED]
install(os.environ)
