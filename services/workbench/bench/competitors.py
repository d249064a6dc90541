"""(d): the usual way and other libraries, each as its own first example does it, against our consumer.

The programs are in `theirs`; they run in an environment of their own, for their pins are not ours. All read one log on
one broker to its end.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import text

from services.chassis.database.database import Database
from services.workbench.bench import ours, workload
from services.workbench.bench.consumers import JOINED
from services.workbench.bench.databases import Urls, databases
from services.workbench.bench.environment import environment
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import Place, Sizes, place

ROOT = Path(__file__).parents[3]
LOCK = Path(__file__).parent / "requirements.lock"
HOME = ROOT / ".eventline" / "bench-venv"
TABLES = ("replica", "addresses", "inbox", "intents", "events")  # a row each for a registration
PROGRAMS = ("usual", "with_aiokafka", "with_faststream", "with_quixstreams")
DEADLINE_S = 300.0


class CompetitorError(Exception):
    """A program failed, or its effect is not the whole; the message has what was seen."""


class Result(msgspec.Struct, frozen=True):
    """The result of a program: the library with its version, and records per second."""

    library: str
    rate: float


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, the libraries installed and the log written."""
    python = environment(HOME, LOCK, "the compared libraries")
    with place(sizes) as here, databases() as urls:
        workload.publish(here.settings, sizes.users)
        steps = (len(PROGRAMS) + 1) * len(urls)
        yield Part("d", "records/s", steps, lambda say: _round(here, python, urls, say))


def _round(here: Place, python: Path, urls: Urls, say: Say) -> Iterator[Pair]:
    users, records = here.sizes.users, here.sizes.users * len(JOINED)
    for database, fresh in urls.items():
        say(f"{database}: ours")
        url = fresh(here.folder)
        mine = ours.consume("notification", here.bootstrap, url, records)
        _require_effect("ours", url, users)
        for name in PROGRAMS:
            say(f"{database}: {name}")
            url = fresh(here.folder)
            ours.prepare("notification", here.bootstrap, url)
            result = _run(python, name, here.bootstrap, url, records)
            _require_effect(name, url, users)
            yield Pair(f"notification, {database}", result.library, result.rate, mine)


def _run(python: Path, name: str, bootstrap: str, url: str, records: int) -> Result:
    argv = [str(python), "-m", f"services.workbench.bench.theirs.{name}", bootstrap, url, str(records)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode != 0:
        raise CompetitorError(f"{name} ended with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)


def _require_effect(name: str, url: str, users: int) -> None:
    with closing(Database(url)) as database, database.read() as connection:
        rows = {table: connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in TABLES}  # noqa: S608  # ours
        waiting = connection.scalar(text("SELECT count(*) FROM waiting"))
    if set(rows.values()) != {users} or waiting:
        raise CompetitorError(f"{name}: of {users} users there should be a row each, none waiting; {rows}, {waiting}")
