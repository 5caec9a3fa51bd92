"""The examples' own settings; each has a default, so a project needs none of them."""

from pathlib import Path

from django.conf import settings

from scheduler_project import environment


def directory() -> Path:
    """The folder below which the examples read and write: EXAMPLES_DIR, else `examples` beside the other data."""
    default = environment.home(settings.BASE_DIR) / "examples"
    return Path(getattr(settings, "EXAMPLES_DIR", default)).absolute()


def endpoints() -> list[str]:
    """The addresses to check when a job names none: EXAMPLES_ENDPOINTS, else the project's own web and Flower."""
    configured = getattr(settings, "EXAMPLES_ENDPOINTS", None)
    return _words("EXAMPLES_ENDPOINTS") or _own_endpoints() if configured is None else list(configured)


def allowed_hosts() -> frozenset[str]:
    """The hosts beyond loopback that may be asked: EXAMPLES_ALLOW_HOSTS."""
    configured = getattr(settings, "EXAMPLES_ALLOW_HOSTS", None)
    return frozenset(_words("EXAMPLES_ALLOW_HOSTS") if configured is None else configured)


def _own_endpoints() -> list[str]:
    web = environment.text("WEB_URL", default="http://127.0.0.1:8000").rstrip("/")
    flower = environment.text("FLOWER_URL", default="http://127.0.0.1:5555").rstrip("/")
    return [f"{web}/admin/login/", f"{flower}/healthcheck"]


def _words(variable: str) -> list[str]:
    return [word.strip() for word in environment.text(variable, default="").split(",") if word.strip()]
