"""The journey API on a log of one million entries: the time of a request for a journey of 50 records, by any id.

`python -m services.workbench.soak.journey_page --entries 1000000` does so on SQLite and on PostgreSQL, over HTTP, and
prints figures; exit code 1 if a request that found something took longer than 300 ms.
"""

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from services.audit import api
from services.audit.bootstrap import REVISIONS
from services.audit.journeys import api as journeys
from services.audit.journeys import search
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.http.server import Server
from services.chassis.http.settings import HttpSettings
from services.chassis.telemetry.health import Health
from services.workbench.bench.databases import databases
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.polling import until
from services.workbench.soak.synthetic_log import FACT, MAIL, USER, Command, fill

ENTRIES = 1_000_000
REQUESTS = 20
LIMIT_MS = 300
RECORDS = 50
OK, NOT_FOUND = 200, 404
UNKNOWN = "01936d5e-0000-7000-8000-00000000000f"


@contextmanager
def served(database: Database) -> Iterator[int]:
    """Serve the journey API of a database in a thread. Yields the port."""
    port, stop, health = free_ports(1)[0], threading.Event(), Health()
    app = application(journeys.routes(database.reader(search.find)), api.DOCUMENT)
    server = Server(app, HttpSettings(http_host=HOST, http_port=port), health)
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    try:
        until("the API listens", health.missing, lambda missing: "http" not in missing)
        yield port
    finally:
        stop.set()
        thread.join()


def requests(long: Command) -> Mapping[str, tuple[str, int]]:
    """Return what is requested: the path after `/audit/journeys/` and the expected status, by what it shows."""
    message_id = quote(f"<{long.id_of(MAIL)}@eventline.local>")
    near = Command(2**40, long.time).id_of(FACT)  # of the same moment, and in no record
    return {
        "the page": (f"{long.correlation_id}.html", OK),
        "JSON": (long.correlation_id, OK),
        "the page by event id": (f"{long.id_of(FACT)}.html", OK),
        "the page by Message-ID": (f"{message_id}.html", OK),
        "the page of a user": (f"{long.id_of(USER)}.html", OK),
        "an unknown id": (near, NOT_FOUND),
        "an unknown id of another time": (UNKNOWN, NOT_FOUND),
    }


def measure(port: int, path: str, expected: int, count: int) -> list[float]:
    """Return the milliseconds of requests, each on a connection of its own. Raises AssertionError for other answers."""
    taken = []
    for _ in range(count):
        started = time.monotonic()
        connection = http.client.HTTPConnection(HOST, port)
        connection.request("GET", f"/audit/journeys/{path}")
        answer = connection.getresponse()
        body = answer.read()
        taken.append((time.monotonic() - started) * 1000)
        connection.close()
        if answer.status != expected:
            raise AssertionError(f"{path}: {answer.status} instead of {expected}: {body[:500]!r}")
    return taken


def play(kind: str, url: str, entries: int) -> Iterator[str]:
    """Fill a database and measure. Yields a line for each request, then one that begins with BROKEN if it is slow."""
    database = Database(url)
    migrations.upgrade(database, REVISIONS)
    started = time.monotonic()
    long = fill(database, entries)
    seconds = time.monotonic() - started
    yield f"{kind}: a log of {entries:,} entries, written in {seconds:,.0f} s: {entries / seconds:,.0f} a second"
    with served(database) as port:
        for what, (path, expected) in requests(long).items():
            taken = measure(port, path, expected, REQUESTS)
            yield f"{kind}, {what}: p50 {statistics.median(taken):,.0f} ms, at most {max(taken):,.0f} ms"
            if expected == OK and max(taken) > LIMIT_MS:
                yield f"BROKEN: {kind}, {what}: more than {LIMIT_MS} ms"
    database.close()


def main() -> int:
    """Measure on each database. Returns the exit code: 1 when a request took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES, help=f"entries of the log ({ENTRIES})")
    options = parser.parse_args()
    broken = False
    with tempfile.TemporaryDirectory(prefix="eventline-soak-") as folder, databases() as urls:
        for kind, url in urls.items():
            for line in play(kind, url(Path(folder)), options.entries):
                print(line, flush=True)  # noqa: T201  # the program's output
                broken |= line.startswith("BROKEN")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
