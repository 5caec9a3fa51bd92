"""Measurements on the real engine, each a module with what it tells in its first lines."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()
