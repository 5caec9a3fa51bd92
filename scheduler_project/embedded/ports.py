"""TCP ports on the loopback address."""

import random
import socket

HOST = "127.0.0.1"


class NoFreePort(RuntimeError):
    """None of the ports that were looked at is free."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def next_free(preferred: int, taken: frozenset[int] = frozenset()) -> int:
    """The first free port from the preferred one on; `taken` are promised to others already."""
    for port in range(preferred, min(preferred + 200, 65536)):
        if port not in taken and is_free(port):
            return port
    raise NoFreePort(f"no free port on {HOST} from {preferred} to {preferred + 199}")


def random_free() -> int:
    """A free port below the range from which the kernel takes ports for outgoing connections.

    So a server that is down for a moment finds its port again.
    """
    for _ in range(200):
        port = random.randint(20_000, 32_000)
        if is_free(port):
            return port
    raise NoFreePort(f"no free port on {HOST} among 200 tried from 20000 to 32000")
