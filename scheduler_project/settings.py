"""Django's settings; every value that differs between machines comes from the environment.

`.carillon/env` (KEY=VALUE lines, written by `make run`) stands in for variables that are not set.
"""

from pathlib import Path

import dj_database_url

from scheduler_project import environment
from scheduler_project.celery_settings import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent
environment.load(BASE_DIR)

SECRET_KEY = environment.secret_key(BASE_DIR)
DEBUG = environment.flag("DEBUG", default=False)
ALLOWED_HOSTS = environment.text("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]").split(",")

DATABASES = {
    "default": {
        **dj_database_url.parse(environment.url("DATABASE_URL", schemes=("postgres", "postgresql"))),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A server that vanished without a word is noticed in seconds, not in the kernel's quarter of an hour.
        "OPTIONS": {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3},
    }
}
REDIS_URL = environment.url("REDIS_URL", schemes=("redis", "rediss", "unix"))
CELERY_BROKER_URL = REDIS_URL

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "jobs",
]
EXAMPLES = environment.flag("EXAMPLES", default=True)
if EXAMPLES:
    INSTALLED_APPS.append("examples")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "scheduler_project.urls"
WSGI_APPLICATION = "scheduler_project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DATE_FORMAT, TIME_FORMAT, DATETIME_FORMAT = "Y-m-d", "H:i:s", "Y-m-d H:i:s T"
STATIC_URL = "static/"
STATIC_ROOT = environment.home(BASE_DIR) / "static"

# Behind a proxy that ends TLS the cookies can be told to insist on it; plain loopback needs them without.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = environment.flag("SECURE_COOKIES", default=False)
CSRF_TRUSTED_ORIGINS = [o for o in environment.text("CSRF_TRUSTED_ORIGINS", default="").split(",") if o]

CARILLON = {
    # Where each beat notes its health, for `manage.py beat_health`.
    "BEAT_DIR": environment.text("BEAT_DIR", default=str(environment.home(BASE_DIR) / "beats")),
    # Where the admin links a run to, when Flower is up.
    "FLOWER_URL": environment.text("FLOWER_URL", default=""),
}
