"""Imported by Celery in a beat whose messages are to be mangled."""

import os

from chaos.mangle import connect

connect(os.environ["CHAOS_MANGLE"])
