"""(b): registrations through HTTP, committed in groups against each by itself: one service, one setting apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from services.workbench.bench import clients, ours
from services.workbench.bench.databases import Urls, databases
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import READY_S, Place, Sizes, place
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System, service

CLIENTS = (1, 16, 64)
ALONE, TOGETHER = 1, 128  # APP_WRITER_GROUP; the second is the service's own default


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, with a PostgreSQL server where there is one."""
    with databases() as urls:
        yield Part("b", "registrations/s", 2 * len(CLIENTS) * len(urls), partial(_round, sizes, urls))


def _round(sizes: Sizes, urls: Urls, say: Say) -> Iterator[Pair]:
    for database in urls:
        turns = []
        for group in (ALONE, TOGETHER):
            with place(sizes) as here:  # an empty log for an empty database: the relay takes no other
                report = partial(_say, say, f"{database}, {'a group' if group > 1 else 'a command'} at a time")
                turns.append(_rates(here, urls[database](here.folder), group, report))
        for number, its, mine in zip(CLIENTS, *turns, strict=True):
            yield Pair(f"{database}, {_clients(number)}", "commit per command", its, mine)


def _clients(number: int) -> str:
    return f"{number} client{'s' if number > 1 else ''}"


def _say(say: Say, what: str, clients: str) -> None:
    say(f"{what}, {clients}")


def _rates(here: Place, url: str, group: int, say: Say) -> list[float]:
    """Start the service on an empty database and return its rate for each number of clients."""
    port, metrics = free_ports(2)
    ports = {"APP_HTTP_PORT": str(port), "APP_METRICS_PORT": str(metrics), "APP_WRITER_GROUP": str(group)}
    with System([service("user", ours.environment(here.bootstrap, url) | ports, here.folder)]) as system:
        system.start("user")
        system.wait_ready(READY_S, "user")
        rates = []
        for number in CLIENTS:
            say(_clients(number))
            rates.append(clients.run(port, number, here.sizes.seconds, clients.registrations(f"of{number}")))
        system.stop("user")
    return rates
