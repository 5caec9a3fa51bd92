"""settings.CARILLON: what is wrong is refused, by name."""

from typing import Any

import pytest
from pytest_django import Settings

from jobs.conf import Conf, conf
from jobs.exceptions import ConfigurationError


def test_without_settings_the_defaults_hold(settings: Settings) -> None:
    settings.CARILLON = {}
    assert conf() == Conf()


def test_a_setting_replaces_its_default_and_no_other(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 7, "LEASE": 60}
    assert conf() == Conf(batch=7, lease=60.0)
    assert isinstance(conf().lease, float)


def test_a_value_that_only_equals_a_right_one_is_refused_all_the_same(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 1}
    assert conf().batch == 1
    settings.CARILLON = {"BATCH": True}
    with pytest.raises(ConfigurationError, match="must be of type int"):
        conf()


def test_a_change_of_the_settings_is_seen(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 7}
    assert conf().batch == 7
    settings.CARILLON = {"BATCH": 8}
    assert conf().batch == 8


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"BATCHES": 5}, "CARILLON['BATCHES'] is not a setting; there are BACKFILL_LIMIT, BATCH, BEAT_DIR,"),
        ({"batch": 5}, "CARILLON['batch'] is not a setting"),
        ({"BATCH": "500"}, "CARILLON['BATCH'] is '500'; it must be of type int"),
        ({"BATCH": 2.5}, "CARILLON['BATCH'] is 2.5; it must be of type int"),
        ({"BATCH": True}, "CARILLON['BATCH'] is True; it must be of type int"),
        ({"BATCH": None}, "CARILLON['BATCH'] is None; it must be of type int"),
        ({"BATCH": [500]}, "CARILLON['BATCH'] is [500]; it must be of type int"),
        ({"BATCH": 0}, "CARILLON['BATCH'] is 0; it must be above zero"),
        ({"LEASE": -15}, "CARILLON['LEASE'] is -15.0; it must be above zero"),
        ({"LEASE": "15"}, "CARILLON['LEASE'] is '15'; it must be of type float"),
        ({"LEASE": float("nan")}, "CARILLON['LEASE'] is nan; it must be above zero"),
        ({"LEASE": float("inf")}, "CARILLON['LEASE'] is inf; it must be above zero"),
        ({"FLOWER_URL": 5555}, "CARILLON['FLOWER_URL'] is 5555; it must be of type str"),
        ({"LOCK_TTL": 0.9}, "LOCK_MARGIN + POLL must be below LOCK_TTL"),
        ({"LEASE": 8}, "LEASE_MARGIN + HEARTBEAT must be below LEASE"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_reason(settings: Settings, values: dict[str, Any], words: str) -> None:
    settings.CARILLON = values
    with pytest.raises(ConfigurationError) as refused:
        conf()
    assert words in str(refused.value)
