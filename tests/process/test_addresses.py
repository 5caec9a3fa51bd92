"""Which servers and ports a run takes."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_project import environment
from scheduler_project.embedded import addresses
from scheduler_project.embedded.ports import HOST, random_free

OWN = {
    "DATABASE_URL": "postgresql://me:hidden@db.example.org/mine",
    "REDIS_URL": "rediss://:hidden@redis.example.org/1",
}


@pytest.fixture(autouse=True)
def own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of one's own, and no wishes about ports."""
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    for name in addresses.PREFERRED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    port = random_free()
    with socket.socket() as listener:
        listener.bind((HOST, port))
        listener.listen()
        yield port


def test_own_servers_are_used_and_none_is_started(tmp_path: Path) -> None:
    chosen = addresses.choose(tmp_path)
    assert chosen.servers == ()
    assert {name: chosen.variables[name] for name in OWN} == OWN
    assert not list(tmp_path.iterdir())


def test_other_terminals_read_what_was_kept(tmp_path: Path) -> None:
    chosen = addresses.choose(tmp_path)
    addresses.keep(chosen, tmp_path)
    assert environment.read(tmp_path / "env") == chosen.variables


def test_a_taken_port_gives_way_to_the_next_and_is_mentioned(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(addresses.PREFERRED, "WEB_PORT", taken)
    chosen = addresses.choose(tmp_path)
    assert taken < chosen.port("WEB_PORT") < taken + 200
    assert chosen.variables["WEB_URL"] == f"http://{HOST}:{chosen.port('WEB_PORT')}"
    assert f"WEB_PORT is {chosen.port('WEB_PORT')}; the usual {taken} was not free" in chosen.moved()


def test_the_port_of_the_last_run_is_taken_again(tmp_path: Path) -> None:
    last = random_free()
    (tmp_path / "env").write_text(f"FLOWER_PORT={last}\n")
    assert addresses.choose(tmp_path).port("FLOWER_PORT") == last


def test_web_and_flower_never_get_the_same_port(tmp_path: Path) -> None:
    port = random_free()
    (tmp_path / "env").write_text(f"WEB_PORT={port}\nFLOWER_PORT={port}\n")
    chosen = addresses.choose(tmp_path)
    assert chosen.port("WEB_PORT") == port
    assert chosen.port("FLOWER_PORT") != port


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_PORT", str(taken))
    with pytest.raises(addresses.PortTaken, match=f"WEB_PORT asks for port {taken}, which is in use"):
        addresses.choose(tmp_path)
