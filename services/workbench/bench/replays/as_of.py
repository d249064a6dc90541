"""(j): users as of the log's end, built as `console as-of` does, against a bare loop that inserts the same rows."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from services.chassis.consumer.decoding import Decoder
from services.chassis.database.database import Database
from services.chassis.process.runtime import collect_rarely
from services.chassis.settings.environment import load
from services.contracts.catalog import USER_EVENTS
from services.user import bootstrap
from services.user.as_of import builder, canonical
from services.user.as_of.merge import MergedLog
from services.user.rebuild import FACTS
from services.user.settings import Settings
from services.workbench.bench import bare, ours, workload
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import Place, Sizes, place


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, its log written."""
    with place(sizes) as here:
        workload.publish(here.settings, sizes.users)
        files = (str(here.folder / f"{number}.db") for number in range(2 * sizes.rounds))
        yield Part("j", "events/s", 2, lambda say: _round(here, files, say))


def _round(here: Place, files: Iterator[str], say: Say) -> Iterator[Pair]:
    expected, collected = here.sizes.users, [next(files), next(files)]
    collect_rarely()
    say("bare loop")
    with closing(Database(f"sqlite:///{collected[0]}")) as database, builder.tables(database):
        pass
    its = bare.run(here.bootstrap, [USER_EVENTS.name], collected[0], bare.users, expected)
    say("as-of")
    mine = _built(here, f"sqlite:///{collected[1]}")
    _require_equal(*collected)
    yield Pair(f"as-of, {expected:,} events", "bare loop", its, mine)


def _built(here: Place, url: str) -> float:
    """Build from the whole log; return events per second, the first batch left out."""
    log = bootstrap.build_log(load(Settings, ours.environment(here.bootstrap, url)))
    with closing(Database(url)) as database, builder.tables(database), ExitStack() as opened:
        partitions = [opened.enter_context(closing(batches)) for batches in log.open()]
        committed = builder.build(database, iter(MergedLog(partitions, Decoder(FACTS))))
        first, started = next(committed), time.perf_counter()
        *_, last = committed
        return (last.sequence - first.sequence) / (time.perf_counter() - started)


def _require_equal(*paths: str) -> None:
    """Check that both have the same rows. Raises ValueError."""
    found = []
    for path in paths:
        with closing(Database(f"sqlite:///{path}")) as database, database.read() as connection:
            found.append(canonical.summary(connection))
    if found[0] != found[1]:
        raise ValueError(f"the bare loop and as-of built different rows: {found}")
