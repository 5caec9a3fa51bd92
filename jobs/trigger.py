"""Trigger: make runs because somebody asked for them, not because a tick was due."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from jobs.births import Birth, insert, new_run_id
from jobs.conf import conf
from jobs.emit import for_later
from jobs.line import lines
from jobs.models import Job, Run
from jobs.models.fields import JSONArrayField, JSONObjectField
from jobs.policies import keys
from jobs.policies.templates import Tick, render
from jobs.schedules.fields import LAST_YEAR
from jobs.states import State, Trigger
from jobs.tick_rules import fan_out
from jobs.tick_rules.upstreams import taken_along
from jobs.wake import again, lock_below, woken

DEEPEST = 100
"""How many levels of lists and objects arguments may have."""
LONGEST_KEY = 200

_NEVER = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
_ARGUMENTS = {"args": JSONArrayField(), "kwargs": JSONObjectField()}


class RequestRefused(ValueError):
    """What was asked for makes no sense. `field` names the part, `index` its place among many requests."""

    def __init__(self, field: str, why: str, index: int | None = None) -> None:
        super().__init__(f"{'' if index is None else f'request {index}: '}{field}: {why}")
        self.field = field
        self.why = why
        self.index = index


@dataclass(frozen=True, slots=True)
class Request:
    """A run to ask for. Arguments that are not given are the job's; without `at` and `delay` it is due at once.

    `at` is an aware moment, and one that has passed means at once. The same idempotency key (1 to 200 printable
    characters) means the same run of the job for as long as that is kept, whatever else is asked for under it.
    """

    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    at: datetime | None = None
    delay: timedelta | None = None
    idempotency_key: str | None = None
    children: bool = False
    """Take the jobs along that run after it, however far below: they follow this run, by their own rules."""


def run_now(job_id: int, now: datetime) -> Run:
    """Make a run of the job at once, by its overlap policy; a skipped one tells the reason.

    Raises Job.DoesNotExist.
    """
    return run(job_id, now)


def run(  # noqa: PLR0913 - the parts of a request, by name
    job_id: int,
    now: datetime,
    *,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    at: datetime | None = None,
    delay: timedelta | None = None,
    idempotency_key: str | None = None,
    children: bool = False,
) -> Run:
    """Make the run that is asked for as in `Request`, or find it by its key; one that was skipped keeps its key.

    The overlap policy decides on a run that is due at once. One for later stands in nobody's way until then; when its
    time has come it waits for its turn, where the job's runs must not overlap.

    Raises Job.DoesNotExist and RequestRefused.
    """
    try:
        return run_many(job_id, [Request(args, kwargs, at, delay, idempotency_key, children)], now)[0]
    except RequestRefused as refused:
        raise RequestRefused(refused.field, refused.why) from refused


def run_many(job_id: int, requests: Iterable[Request], now: datetime) -> list[Run]:
    """Make a run for each request, as `run` does for one, in their order, and all of them or none.

    The overlap policy sees them one after the other: where it is to skip, the first runs, and the others are skipped.
    Takes four statements for each `batch` of them, and one for each run that is replaced. Raises Job.DoesNotExist,
    and RequestRefused with the index of the first request that makes no sense.
    """
    return _make(job_id, _births(job_id, list(requests), now), now)


def retry_run(run_id: UUID, now: datetime) -> Run:
    """Make a new run for the same tick as a finished one, with its arguments. The finished one stays as it is.

    The jobs below that were skipped because of it, or of others, get a new run too, which waits for their upstreams.
    Raises Run.DoesNotExist, and ValueError when the run has not ended.
    """
    old = Run.objects.get(pk=run_id)
    if old.finished_at is None:
        raise ValueError(f"run {run_id} is {old.state}; only a finished run can be retried")
    birth = again(old, now)
    with transaction.atomic():
        below = lock_below(old.job_id)
        made = _make(old.job_id, [birth], now)[0]
        insert(woken(birth, below, now), now)
    return made


def _births(job_id: int, requests: Sequence[Request], now: datetime) -> list[Birth]:
    # Sorted, so that the ledger, which goes by the id, has the runs in the order in which they were asked for.
    ids = sorted(new_run_id(now) for _ in requests)
    births = []
    for index, (run_id, request) in enumerate(zip(ids, requests, strict=True)):
        try:
            births.append(_birth(run_id, job_id, request, now))
        except RequestRefused as refused:
            raise RequestRefused(refused.field, refused.why, index) from refused
    return births


def _birth(run_id: UUID, job_id: int, request: Request, now: datetime) -> Birth:
    moment = _moment(request, now)
    return Birth(
        run_id,
        job_id,
        moment,
        trigger=Trigger.MANUAL,
        idempotency_key=_key(request.idempotency_key),
        args=read_json("args", request.args),
        kwargs=read_json("kwargs", request.kwargs),
        due_at=moment,
        origin=run_id if request.children else None,
    )


def _moment(request: Request, now: datetime) -> datetime:
    """When it is due, in UTC, because two times of one zone compare by the clock on the wall."""
    if request.at is not None and request.delay is not None:
        raise RequestRefused("delay", "give either this or at, not both")
    now = now.astimezone(UTC)
    field, moment = ("delay", _after(now, request.delay)) if request.at is None else ("at", _at(request.at))
    if moment >= _NEVER:
        raise RequestRefused(field, f"must not be after the year {LAST_YEAR}")
    return moment.astimezone(UTC) if moment > now else now


def _at(at: datetime) -> datetime:
    if not isinstance(at, datetime):
        raise RequestRefused("at", f"must be a datetime, not {at!r:.80}")
    if at.utcoffset() is None:
        raise RequestRefused("at", f"{at} has no time zone, so it is no moment")
    return at


def _after(now: datetime, delay: timedelta | None) -> datetime:
    if delay is None:
        return now
    if not isinstance(delay, timedelta):
        raise RequestRefused("delay", f"must be a timedelta, not {delay!r:.80}")
    if delay < timedelta(0):
        raise RequestRefused("delay", "must not be negative")
    try:
        return now + delay
    except OverflowError:
        return _NEVER


def _key(key: str | None) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str):
        raise RequestRefused("idempotency_key", f"must be a text, not {key!r:.80}")
    if not 1 <= len(key) <= LONGEST_KEY:
        raise RequestRefused("idempotency_key", f"must have 1 to {LONGEST_KEY} characters, not {len(key)}")
    if not key.isprintable():
        raise RequestRefused("idempotency_key", "must have printable characters only")
    return key


def read_json(field: str, value: Any) -> Any:
    """The arguments as they will be read back from the row, or None."""
    if value is None:
        return None
    try:
        read_back = json.loads(json.dumps(value, allow_nan=False))
        _ARGUMENTS[field].validate(read_back, None)
        deep = _depth(read_back) > DEEPEST
    except RecursionError:
        deep = True
    except ValidationError as error:
        raise RequestRefused(field, " ".join(error.messages)) from error
    except (TypeError, ValueError) as error:
        raise RequestRefused(field, str(error)) from error
    if deep:
        raise RequestRefused(field, f"is nested deeper than {DEEPEST} levels")
    return read_back


def _depth(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, children), default=0) if isinstance(value, (dict, list)) else 0


def _make(job_id: int, births: Sequence[Birth], now: datetime) -> list[Run]:
    size = conf().batch
    with transaction.atomic():
        # Excludes the tick's lock, so that the overlap policy holds between them, but not who inserts a run of the job.
        job = Job.objects.select_for_update(no_key=True).get(pk=job_id)
        if job.templated:
            try_templates(job, births)
        if job.key:
            try_key(job, births)
        batches = (births[start : start + size] for start in range(0, len(births), size))
        return [made for batch in batches for made in _make_batch(job, batch, now)]


def try_templates(job: Job, births: Sequence[Birth]) -> None:
    """Refuse arguments that could not be filled in when the run starts."""
    schedule = cache(job.parsed_schedule)
    for index, birth in enumerate(births):
        tick = Tick(birth.scheduled_for, schedule, attempt=1, shard=0, job=job.name, run=str(birth.id))
        for field, value in (("args", birth.args), ("kwargs", birth.kwargs)):
            try:
                render(field, value or [], tick)
            except ValueError as error:
                raise RequestRefused(field, str(error), index) from error


def try_key(job: Job, births: Sequence[Birth]) -> None:
    """Refuse arguments in which a value that the job's key needs is missing."""
    for index, birth in enumerate(births):
        given = {name: value for name in _ARGUMENTS if (value := getattr(birth, name)) is not None}
        own = {name: getattr(job, name) for name in _ARGUMENTS}
        if given and (lacking := keys.missing(job.key, own | given)):
            raise RequestRefused(*lacking, index)


def _make_batch(job: Job, births: Sequence[Birth], now: datetime) -> Iterator[Run]:
    """The runs of these births, each found by its key or inserted.

    An insert that loses to another's with the same key has waited for it, so the next look finds that one, unless it
    has been deleted meanwhile: then it is inserted.
    """
    runs: dict[UUID | str, Run] = {}
    while missing := {_name(birth): birth for birth in reversed(births) if _name(birth) not in runs}:
        runs |= _known(job, [name for name in missing if isinstance(name, str)])
        fresh = [birth for name, birth in reversed(missing.items()) if name not in runs]
        new = insert(_placed(job, fresh, now), now)
        named = new & {birth.id for birth in fresh}
        origins = [birth for birth in fresh if birth.id in new and birth.origin == birth.id]
        if origins:
            insert(taken_along(job, origins, now), now)
        runs |= {_name(made): made for made in Run.objects.filter(pk__in=named)}
    return (runs[_name(birth)] for birth in births)


def _name(one: Birth | Run) -> UUID | str:
    return one.idempotency_key or one.id


def _known(job: Job, keys: Collection[str]) -> dict[UUID | str, Run]:
    runs = Run.objects.filter(job=job, idempotency_key__in=keys) if keys else ()
    return {_name(run): run for run in runs}


def _split(split: fan_out.FanOutOf, job: Job, birth: Birth) -> list[Birth]:
    try:
        return split(job, birth) if birth.trigger is Trigger.MANUAL else [birth]
    except ValueError as error:
        raise RequestRefused("job", str(error)) from error


def _placed(job: Job, births: Sequence[Birth], now: datetime) -> list[Birth]:
    """The births, split as the job's ticks are, those that are due at once with their place in the job's line."""
    line = lines([job], now)[job.pk]
    split = fan_out.load([job], now)
    for birth in births:
        runs = _split(split, job, birth)
        if runs[0].state is State.SKIPPED:
            line.set_down(runs)
        elif birth.due_at is None or birth.due_at <= now:
            line.join(runs)
        else:
            line.set_down(for_later(job, runs))
    line.cancel_replaced(now)
    return list(line.births.values())
