"""Ask an HTTP address a question, guarded: only hosts that may be asked, at the very address that was checked."""

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from examples import conf

LONGEST_PAGE = 1_000_000  # bytes that are read of an answer


class Unreachable(Exception):
    """The address may not be asked, or did not answer as HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. A redirect is an answer like any other: it is not followed."""

    status: int
    body: bytes
    seconds: float


def parse_url(url: str) -> SplitResult:
    """The parts of an http or https address; ValueError tells what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("the address must begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("the address names no host")
    if "@" in parts.netloc:
        raise ValueError("a user name or password in the address would end up in the results")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("write it in ASCII, without blanks; escape other characters as %20")
    _ = parts.port  # raises a ValueError that says what is wrong
    return parts


def get(url: str, timeout: float) -> Answer:
    """GET the address within `timeout` seconds; Unreachable says why there is no answer."""
    parts = parse_url(url)
    begin = time.monotonic()
    try:
        connection = _connect(parts, timeout)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path, headers={"User-Agent": "carillon-examples", "Connection": "close"})
            response = connection.getresponse()
            body = _read(response, connection, begin + timeout)
        finally:
            connection.close()
    except TimeoutError as error:
        raise Unreachable(f"no answer within {timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    return Answer(response.status, body, time.monotonic() - begin)


def _connect(parts: SplitResult, timeout: float) -> http.client.HTTPConnection:
    """A connection to an address that has been checked; a second look-up of the name could give another one."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    _refuse_foreign(host, addresses)
    sock = _first_open(addresses, port, timeout)
    if parts.scheme == "https":
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    connection.sock = sock
    return connection


def _refuse_foreign(host: str, addresses: list[str]) -> None:
    if host in conf.allowed_hosts():
        return
    for address in addresses:
        if not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
            raise Unreachable(f"{host} is not this machine; name it in EXAMPLES_ALLOW_HOSTS to have it asked")


def _first_open(addresses: list[str], port: int, timeout: float) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            continue  # such as ::1 where the server listens on 127.0.0.1 only; the last one's error counts
    return socket.create_connection((addresses[-1], port), timeout)


def _read(response: http.client.HTTPResponse, connection: http.client.HTTPConnection, until: float) -> bytes:
    """The page, up to the limit, by a moment of the monotonic clock even when it comes in drips."""
    body = bytearray()
    while len(body) < LONGEST_PAGE:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
        chunk = response.read1(min(65_536, LONGEST_PAGE - len(body)))
        if not chunk:
            break
        body += chunk
    return bytes(body)
