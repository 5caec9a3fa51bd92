"""The setup of a deployment: repeated, it changes nothing."""

from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings

from deploy import setup
from jobs.models import Job
from scheduler_project.environment import EnvironmentProblem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def surroundings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EXAMPLES_DIR = tmp_path
    monkeypatch.delenv("ADMIN_USERNAME", raising=False)
    monkeypatch.setenv("ADMIN_PASSWORD", "a first password")


def test_it_makes_the_administrator_and_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup.main() == 0
    administrator = get_user_model().objects.get(username="admin")
    assert administrator.check_password("a first password")
    assert administrator.is_superuser
    jobs = Job.objects.count()
    assert jobs > 0

    monkeypatch.setenv("ADMIN_PASSWORD", "a second password")
    assert setup.main() == 0
    administrator.refresh_from_db()
    assert administrator.check_password("a first password")
    assert Job.objects.count() == jobs


def test_the_examples_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLES", "0")
    assert setup.main() == 0
    assert not Job.objects.exists()


def test_without_a_password_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMIN_PASSWORD")
    with pytest.raises(EnvironmentProblem, match="ADMIN_PASSWORD is not set"):
        setup.main()
    assert not get_user_model().objects.exists()
