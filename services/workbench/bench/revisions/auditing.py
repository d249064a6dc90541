"""(k): the audit service with its evidence against the one before it, as processes that read one log by turns.

The earlier revision has one chain per partition. The present one adds the Merkle tree, signed checkpoints and the
verification of its own entries while it reads.
"""

import itertools
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from services.audit.settings import Settings
from services.chassis.transparency import key_set
from services.workbench.bench import ours, workload
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.revisions.tree import Tree, exported, present
from services.workbench.bench.setting import READY_S, Place, Sizes, place
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System, service
from services.workbench.polling import until

BEFORE = "fe59ed8"  # the last one without them
TOPICS = 3  # of each registration's records
DEADLINE_S = 120.0


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, its log written and the earlier revision exported. Raises RevisionError."""
    with exported(BEFORE) as old, place(sizes) as here:
        workload.publish(here.settings, sizes.users)
        new, stores = present(), itertools.count()
        signed = {"APP_AUDIT_KEY_FILE": str(_key(here.folder))}

        def measure(say: Say) -> Iterator[Pair]:
            say(f"{old.name}: audit")
            its = _rate(here, old, here.folder / f"store{next(stores)}", {})
            say(f"{new.name}: audit")
            own = _rate(here, new, here.folder / f"store{next(stores)}", signed)
            yield Pair(f"audit, {sizes.users * TOPICS:,} records", old.name, its, own)

        yield Part("k", "records/s", 2, measure)


def _key(folder: Path) -> Path:
    key_set.ensure(folder, key_set.Parties(Settings.audit_origin, key_set.WITNESS, "http://127.0.0.1:9"))
    return folder / key_set.LOG_KEY


def _rate(here: Place, tree: Tree, folder: Path, settings: Mapping[str, str]) -> float:
    """Return entries per second, from the first batch on. Raises TimeoutError, ProcessError."""
    folder.mkdir()
    http, metrics = map(str, free_ports(2))
    environment = ours.environment(here.bootstrap, f"sqlite:///{folder}/audit.db") | dict(settings)
    ports = {"APP_HTTP_PORT": http, "APP_METRICS_PORT": metrics}
    with System([tree.run(service("audit", environment | ports, folder))]) as system:
        system.start("audit")
        system.wait_ready(READY_S, "audit")
        with closing(sqlite3.connect(folder / "audit.db")) as store:
            first, started = _entries(store, 1)
            done, ended = _entries(store, here.sizes.users * TOPICS)
        system.stop("audit")
    return (done - first) / (ended - started)


def _entries(store: sqlite3.Connection, least: int) -> tuple[int, float]:
    def count() -> int:
        (found,) = store.execute("SELECT coalesce(max(position) + 1, 0) FROM entries").fetchone()
        return int(found)

    return until(f"{least} entries", count, lambda seen: seen >= least, seconds=DEADLINE_S), time.perf_counter()
