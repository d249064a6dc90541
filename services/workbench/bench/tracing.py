"""(f): what tracing costs: requests and records a second with it on against off, as sampled by default and all of them.

The collector is a process of its own that reads what it is sent and no more: a real one is another machine's work.
"""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

from services.chassis.telemetry.otlp import RATIO
from services.chassis.telemetry.tracing import tracing
from services.workbench.bench import clients, ours, workload
from services.workbench.bench.consumers import JOINED, PUBLISHED
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import READY_S, Place, Sizes, place
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import answers
from services.workbench.local.system import System, service
from services.workbench.polling import until

CLIENTS = 64
CASES: dict[str, Mapping[str, str]] = {
    f"{RATIO:.0%} sampled": {},
    "all sampled": {"OTEL_TRACES_SAMPLER": "parentbased_always_on"},
}
CONSUMERS = (("notification", JOINED), ("audit", PUBLISHED))
OFF = "tracing off"


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, with a collector and a log for each share of sampled records."""
    with _collector() as address, place(sizes) as some, place(sizes) as every:
        workload.publish(some.settings, sizes.users, sampled=RATIO)
        workload.publish(every.settings, sizes.users, sampled=1.0)
        logs = dict(zip(CASES, (some, every), strict=True))
        steps = 2 * len(CASES) * (1 + len(CONSUMERS))
        files = (f"{number}.db" for number in range(steps * sizes.rounds))
        yield Part("f", "per second", steps, lambda say: _round(address, logs, files, say))


def _round(address: str, logs: Mapping[str, Place], files: Iterator[str], say: Say) -> Iterator[Pair]:
    for case, variables in CASES.items():
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, **variables}
        here = logs[case]
        say(f"registrations, {OFF}")
        its = _registrations(here.sizes, {})
        say(f"registrations, {case}")
        yield Pair(f"registrations, {CLIENTS} clients, {case}", OFF, its, _registrations(here.sizes, on))
        for name, topics in CONSUMERS:
            say(f"{name}, {OFF}")
            expected = here.sizes.users * len(topics)
            its = _consume(name, here, next(files), expected, {})
            say(f"{name}, {case}")
            mine = _consume(name, here, next(files), expected, on)
            yield Pair(f"{name}, {expected:,} records, {case}", OFF, its, mine)


def _registrations(sizes: Sizes, variables: Mapping[str, str]) -> float:
    """Start the user service on an empty log and an empty database and return its rate."""
    port, metrics = free_ports(2)
    with place(sizes) as here:
        variables = ours.environment(here.bootstrap, f"sqlite:///{here.folder}/user.db")
        ports = {"APP_HTTP_PORT": str(port), "APP_METRICS_PORT": str(metrics)}
        with System([service("user", {**variables, **ports, **variables}, here.folder)]) as system:
            system.start("user")
            system.wait_ready(READY_S, "user")
            rate = clients.run(port, CLIENTS, sizes.seconds, clients.registrations("traced"))
            system.stop("user")
    return rate


def _consume(name: str, here: Place, file: str, expected: int, variables: Mapping[str, str]) -> float:
    with patch.dict(os.environ, variables), closing(tracing(name, variables)) as traces:
        return ours.consume(name, here.bootstrap, f"sqlite:///{here.folder / file}", expected, traces)


@contextmanager
def _collector() -> Iterator[str]:
    (port,) = free_ports(1)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port,), daemon=True)
    process.start()
    try:
        until("the collector listens", lambda: answers(HOST, port) is None)
        yield f"http://{HOST}:{port}"
    finally:
        process.kill()
        process.join()


class _Reader(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # http.server's name
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _serve(port: int) -> None:
    ThreadingHTTPServer((HOST, port), _Reader).serve_forever()
