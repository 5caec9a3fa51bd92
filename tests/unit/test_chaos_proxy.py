"""The proxy of the fault suite does what it is told to."""

import socket
import threading
from collections.abc import Iterator

import pytest

from chaos.proxy import Proxy
from tests.waiting import wait_until


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=_echo, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def _echo(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(1000):
                client.sendall(data)
        except ConnectionError:
            return


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    made = Proxy(echo).start()
    yield made
    made.stop()


def client(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=1)


def _drain(one: socket.socket) -> None:
    while one.recv(10):
        pass


def test_it_passes_on_and_counts(proxy: Proxy) -> None:
    with client(proxy) as one:
        one.sendall(b"hello")
        assert one.recv(10) == b"hello"
        assert (proxy.accepted, proxy.connections) == (1, 1)
    wait_until(lambda: proxy.connections == 0, 5, "the connection has ended")


def test_it_resets_and_refuses(proxy: Proxy) -> None:
    with client(proxy) as one:
        one.sendall(b"hello")
        assert one.recv(10) == b"hello"
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            one.recv(10)
    proxy.refuse = True
    with client(proxy) as one, pytest.raises(ConnectionResetError):
        one.recv(10)


@pytest.mark.parametrize("mode", ["hole", "deaf"])
def test_it_swallows(proxy: Proxy, mode: str) -> None:
    with client(proxy) as one:
        setattr(proxy, mode, True)
        one.sendall(b"hello")
        with pytest.raises(TimeoutError):
            one.recv(10)
        setattr(proxy, mode, False)
        if mode == "hole":
            assert one.recv(10) == b"hello"


def test_it_cuts_after_the_chunk_that_it_waits_for(proxy: Proxy) -> None:
    proxy.cut_when = lambda chunk: b"COMMIT" in chunk
    with client(proxy) as one:
        one.sendall(b"hello")
        assert one.recv(10) == b"hello"
        one.sendall(b"COMMIT")
        with pytest.raises(ConnectionResetError):
            _drain(one)
    assert proxy.cut_when is None


def test_it_cuts_after_so_many_bytes(proxy: Proxy) -> None:
    proxy.cut_after = 8
    with client(proxy) as one:
        one.sendall(b"hello")
        assert one.recv(10) == b"hello"
        one.sendall(b"again")
        with pytest.raises(ConnectionResetError):
            _drain(one)
