"""(m): the 99th percentile of ten callers' answers while another sends ten times its rate limit, against without him.

One user service with tokens and a limit per caller. The flooding caller is a process of its own.
"""

import multiprocessing
import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from multiprocessing.connection import Connection

import msgspec

from services.console.tokens.issuer import Issuer, new_key, read_key
from services.workbench.bench import ours
from services.workbench.bench.limits import paced_clients
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import READY_S, Place, Sizes, place
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System, service

LIMIT = 20  # requests a second of a caller
CALLERS = 10
PACE_S = 0.1  # of each of them: half of the limit
FLOOD = 10 * LIMIT
CONNECTIONS = 4  # of the flooding caller
LONGER = 5  # times BENCH_SECONDS: a percentile needs many answers
WITHOUT, LIMITED = "without him", "his limit"
LIFETIME = timedelta(hours=1)
PERCENT = 99

Requests = Callable[[str, str], Iterator[bytes]]  # of a caller's name and token
_runs = count()


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, its service running."""
    with place(sizes) as here:
        private, public = new_key(here.folder / "issuer")
        issuer = read_key(private, "bench", "eventline")
        (port, metrics) = free_ports(2)
        environment = ours.environment(here.bootstrap, f"sqlite:///{here.folder}/user.db") | {
            "APP_HTTP_PORT": str(port),
            "APP_METRICS_PORT": str(metrics),
            "APP_RATE_LIMIT": str(LIMIT),
            "APP_AUTH": "jwt",
            "APP_AUTH_JWKS_FILE": str(public),
            "APP_AUTH_ISSUER": issuer.issuer,
            "APP_AUTH_AUDIENCE": issuer.audience,
        }
        with System([service("user", environment, here.folder)]) as system:
            system.start("user")
            system.wait_ready(READY_S, "user")
            yield Part("m", "ms", 2 * len(KINDS), partial(_round, here, port, issuer))
            system.stop("user")


def _round(here: Place, port: int, issuer: Issuer, say: Say) -> Iterator[Pair]:
    seconds = here.sizes.seconds * LONGER
    for kind in KINDS:
        say(f"{kind}, {WITHOUT}")
        its = _p99(port, issuer, kind, seconds)
        say(f"{kind}, with {FLOOD} a second of one caller")
        with _flooding(port, issuer, kind, seconds) as statuses:
            own = _p99(port, issuer, kind, seconds)
            answers = statuses()
        yield Pair(f"{kind}, p99 of {CALLERS} callers, another at ten times his limit", WITHOUT, its, own)
        accepted = sum(number for status, number in answers.items() if status != "429") / seconds
        yield Pair(f"{kind}, accepted of him", LIMITED, LIMIT, accepted, "requests/s")


def _p99(port: int, issuer: Issuer, kind: str, seconds: float) -> float:
    """Return the percentile in milliseconds. Raises ConnectionError for a caller who is limited or refused."""
    callers = [_requests(issuer, kind, f"caller-{number}") for number in range(CALLERS)]
    answers = paced_clients.run(port, callers, PACE_S, seconds)
    if set(answers.statuses) - {"200", "201"}:
        raise ConnectionError(f"answers to callers within their limit: {dict(answers.statuses)}")
    return statistics.quantiles(answers.seconds, n=100)[PERCENT - 1] * 1000


@contextmanager
def _flooding(port: int, issuer: Issuer, kind: str, seconds: float) -> Iterator[Callable[[], Mapping[str, int]]]:
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    token = _token(issuer, "flood")
    process = context.Process(target=_flood, args=(port, kind, token, seconds, sending), daemon=True)
    process.start()
    sending.close()  # so that the end of the process ends the wait for what it sends
    try:
        receiving.recv()  # it has begun
        yield receiving.recv
    finally:
        process.kill()
        process.join()


def _flood(port: int, kind: str, token: str, seconds: float, sending: Connection) -> None:
    callers = [KINDS[kind](f"flood-{number}", token) for number in range(CONNECTIONS)]
    sending.send("begun")
    sending.send(paced_clients.run(port, callers, CONNECTIONS / FLOOD, seconds).statuses)


def _requests(issuer: Issuer, kind: str, subject: str) -> Iterator[bytes]:
    return KINDS[kind](subject, _token(issuer, subject))


def _token(issuer: Issuer, subject: str) -> str:
    return issuer.token(subject, ["read", "write"], LIFETIME)


def _reads(_: str, token: str) -> Iterator[bytes]:
    while True:
        yield _head("GET /users?limit=20", token) + b"\r\n"


def _registrations(name: str, token: str) -> Iterator[bytes]:
    head = _head("POST /users", token) + b"content-type: application/json\r\n"
    for number in _runs:
        login = f"{name}-{os.getpid()}-{number}"
        body = msgspec.json.encode({"login": login, "email": f"{login}@example.org", "full_name": "Person"})
        yield head + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def _head(what: str, token: str) -> bytes:
    return f"{what} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n".encode()


KINDS: Mapping[str, Requests] = {"reads": _reads, "registrations": _registrations}
