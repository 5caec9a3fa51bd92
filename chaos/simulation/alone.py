"""Django for a process that only simulates: the models can be imported, and no server is asked for anything."""

import os

import django

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()
