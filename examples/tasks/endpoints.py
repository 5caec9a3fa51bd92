"""Check that HTTP endpoints answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from celery import shared_task

from examples import conf
from examples.arguments import number, text
from examples.http import Answer, Unreachable, get, parse_url
from jobs.current import current_run

MOST = 200  # endpoints in one job


class EndpointsDown(Exception):
    """Some of the endpoints are down; the message names each one and why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, and a text that its page must hold."""

    url: str
    expect: str = ""


@shared_task(name="examples.check_endpoints")
def check_endpoints(
    endpoints: Sequence[str | dict[str, str]] | None = None, timeout: float = 5
) -> list[dict[str, Any]]:
    """Ask each endpoint; it is up when it answers 2xx or 3xx within `timeout` seconds, with the text it is to hold.

    An endpoint is an address or {"url": address, "expect": text}; without any, the project's own web and Flower.
    Redirects are not followed. EndpointsDown names those that are down; ValueError a wrong argument.
    """
    number("timeout", timeout, 0.1, 60)
    asked = _endpoints(conf.endpoints() if endpoints is None else endpoints)
    up: list[dict[str, Any]] = []
    down: list[str] = []
    for count, endpoint in enumerate(asked, start=1):
        try:
            answer = _ask(endpoint, timeout)
        except Unreachable as problem:
            down.append(f"{endpoint.url}: {problem}")
        else:
            milliseconds = round(answer.seconds * 1000)
            up.append({"url": endpoint.url, "status": answer.status, "milliseconds": milliseconds})
        current_run().progress(count / len(asked), endpoint.url)
    if down:
        raise EndpointsDown(f"{len(down)} of {len(asked)} endpoints are down: {'; '.join(down)}")
    return up


def _ask(endpoint: Endpoint, timeout: float) -> Answer:
    answer = get(endpoint.url, timeout)
    if not 200 <= answer.status < 400:
        raise Unreachable(f"answered {answer.status}")
    if endpoint.expect and endpoint.expect not in answer.body.decode("utf-8", "replace"):
        raise Unreachable(f"answered {answer.status}, but its page does not hold {endpoint.expect!r}")
    return answer


def _endpoints(given: object) -> list[Endpoint]:
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= MOST:
        raise ValueError(f"endpoints: must be a list of 1-{MOST} addresses")
    return [_endpoint(f"endpoints[{index}]", item) for index, item in enumerate(given)]


def _endpoint(name: str, item: object) -> Endpoint:
    fields = item if isinstance(item, dict) else {"url": item}
    if unknown := set(fields) - {"url", "expect"}:
        raise ValueError(f"{name}: {', '.join(sorted(map(repr, unknown)))} is not known; allowed are url and expect")
    url = text(f"{name}: url", fields.get("url"), most=2000)
    try:
        parse_url(url)
    except ValueError as error:
        raise ValueError(f"{name}: {url!r}: {error}") from error
    expect = text(f"{name}: expect", fields["expect"], most=1000) if "expect" in fields else ""
    return Endpoint(url, expect)
