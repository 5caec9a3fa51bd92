"""The check of endpoints: against a real HTTP server on the loopback address."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from examples import conf
from examples.tasks.endpoints import EndpointsDown, check_endpoints
from jobs.current import executing
from tests.factories import reload, running_run


class Handler(BaseHTTPRequestHandler):
    """A small site with a page for each kind of answer."""

    server: "Site"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/slow":
            self.server.closing.wait(30)
        elif self.path == "/drips":
            self._drip()
        elif self.path == "/garbage":
            self.wfile.write(b"this is not HTTP\r\n\r\n")
        else:
            self._answer(int(self.path.strip("/?q=1")))

    def _answer(self, status: int) -> None:
        page = b"" if status == 204 else "Grüße: everything is fine".encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{self.server.url}/500")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while not self.server.closing.wait(0.05):
                self.wfile.write(b".")
        except OSError:
            return  # the client has gone

    def log_message(self, *args: Any) -> None:
        """Nothing: the test's output stays clean."""


class Site(ThreadingHTTPServer):
    """The server; `asked` are the paths that were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            site.shutdown()
            thread.join()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_endpoints_that_answer_are_up(site: Site) -> None:
    expecting = {"url": f"{site.url}/200?q=1", "expect": "Grüße: everything"}
    results = check_endpoints([f"{site.url}/204", expecting, f"{site.url}/302"])
    assert [result["status"] for result in results] == [204, 200, 302]
    assert [result["url"] for result in results] == [f"{site.url}/204", f"{site.url}/200?q=1", f"{site.url}/302"]
    assert all(0 <= result["milliseconds"] < 5000 for result in results)
    assert site.asked == ["/204", "/200?q=1", "/302"]  # the redirect was not followed


def test_each_one_that_is_down_is_named(site: Site) -> None:
    nobody = f"http://127.0.0.1:{closed_port()}/"
    silent = {"url": f"{site.url}/200", "expect": "all is lost"}
    asked: list[str | dict[str, str]] = [f"{site.url}/200", f"{site.url}/500", nobody, silent, f"{site.url}/garbage"]
    with pytest.raises(EndpointsDown) as down:
        check_endpoints(asked)
    message = str(down.value)
    assert message.startswith("4 of 5 endpoints are down: ")
    assert f"{site.url}/500: answered 500" in message
    assert f"{nobody}: [Errno 111] Connection refused" in message
    assert f"{site.url}/200: answered 200, but its page does not hold 'all is lost'" in message
    assert f"{site.url}/garbage: this is not HTTP" in message


@pytest.mark.parametrize("page", ["slow", "drips"])
def test_an_endpoint_has_a_time_limit(site: Site, page: str) -> None:
    with pytest.raises(EndpointsDown, match=rf"/{page}: no answer within 0.3 s"):
        check_endpoints([f"{site.url}/{page}"], timeout=0.3)


def test_other_machines_are_asked_only_when_allowed(settings: Settings) -> None:
    address = "http://192.0.2.1:9/"  # reserved for documentation: nobody has it
    with pytest.raises(EndpointsDown, match=r"192.0.2.1 is not this machine; name it in EXAMPLES_ALLOW_HOSTS"):
        check_endpoints([address], timeout=0.2)
    settings.EXAMPLES_ALLOW_HOSTS = ["192.0.2.1"]
    with pytest.raises(EndpointsDown) as tried:
        check_endpoints([address], timeout=0.2)
    assert "EXAMPLES_ALLOW_HOSTS" not in str(tried.value)


def test_ipv6_loopback_is_this_machine() -> None:
    with pytest.raises(EndpointsDown) as tried:
        check_endpoints([f"http://[::1]:{closed_port()}/"])
    assert "EXAMPLES_ALLOW_HOSTS" not in str(tried.value)


def test_a_name_is_tried_at_all_its_addresses(site: Site) -> None:
    assert check_endpoints([f"http://localhost:{site.server_port}/200"])[0]["status"] == 200


@pytest.mark.parametrize(
    ("endpoints", "message"),
    [
        ([], "endpoints: must be a list of 1-200 addresses"),
        ("http://127.0.0.1/", "endpoints: must be a list"),
        (["ftp://127.0.0.1/"], r"endpoints\[0\]: 'ftp://127.0.0.1/': the address must begin with http"),
        (["http://127.0.0.1/", "http:///x"], r"endpoints\[1\]: 'http:///x': the address names no host"),
        (["http://user:secret@127.0.0.1/"], "a user name or password"),
        (["http://127.0.0.1:99999/"], "Port out of range"),
        (["http://127.0.0.1/a b"], "without blanks"),
        (["http://127.0.0.1/\r\nX: y"], "printable"),
        ([7], r"endpoints\[0\]: url: 7 is not a text"),
        ([{"url": "http://127.0.0.1/", "expects": "x"}], r"endpoints\[0\]: 'expects' is not known"),
        ([{"url": "http://127.0.0.1/", "expect": 1}], r"endpoints\[0\]: expect: 1 is not a text"),
        ([{}], r"endpoints\[0\]: url: None is not a text"),
    ],
)
def test_a_wrong_endpoint_is_named(endpoints: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_endpoints(endpoints)


def test_a_wrong_timeout_is_named() -> None:
    with pytest.raises(ValueError, match=r"timeout: 0 is not in 0.1-60"):
        check_endpoints(["http://127.0.0.1/"], timeout=0)


def test_by_default_the_projects_own_web_and_flower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXAMPLES_ENDPOINTS", raising=False)
    monkeypatch.setenv("WEB_URL", "http://127.0.0.1:8001")
    monkeypatch.setenv("FLOWER_URL", "http://127.0.0.1:5556/")
    assert conf.endpoints() == ["http://127.0.0.1:8001/admin/login/", "http://127.0.0.1:5556/healthcheck"]
    monkeypatch.setenv("EXAMPLES_ENDPOINTS", "http://web:8000/, http://flower:5555/")
    assert conf.endpoints() == ["http://web:8000/", "http://flower:5555/"]
    monkeypatch.setenv("EXAMPLES_ALLOW_HOSTS", "web,flower")
    assert conf.allowed_hosts() == {"web", "flower"}


@pytest.mark.django_db(transaction=True)
def test_a_run_shows_its_progress(site: Site) -> None:
    run, claim = running_run()
    with executing(claim):
        check_endpoints([f"{site.url}/200"])
    run = reload(run)
    assert (run.progress, run.progress_message) == (1, f"{site.url}/200")
