"""(d): the usual way and other libraries, each as its own first example does it, against our consumer.

The programs are in `theirs`; they run in an environment of their own, for their pins are not ours. All read one log on
one broker to its end.
"""

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.bench import ours, workload
from tests.bench.consumers import JOINED
from tests.bench.outcome import Pair, Part, Say
from tests.bench.setting import Place, Sizes, place

ROOT = Path(__file__).parents[2]
LOCK = Path(__file__).parent / "requirements.lock"
HOME = ROOT / ".eventline" / "bench-venv"
TABLES = ("replica", "addresses", "inbox", "intents", "events")  # a row each for a registration
PROGRAMS = ("usual", "with_aiokafka", "with_faststream", "with_quixstreams")
DEADLINE_S = 300.0


class CompetitorError(Exception):
    """A program failed, or its effect is not the whole; the message says what was seen."""


class Result(msgspec.Struct, frozen=True):
    """What a program prints: the library with its version, and records per second."""

    library: str
    rate: float


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, the libraries installed and the log written."""
    python = installed()
    with place(sizes) as here:
        workload.publish(here.settings, sizes.users)
        files = (str(here.folder / f"{number}.db") for number in range((len(PROGRAMS) + 1) * sizes.rounds))
        yield Part("d", "records/s", len(PROGRAMS) + 1, lambda say: _round(here, python, files, say))


def installed() -> Path:
    """Return the Python that has the libraries, installing them where the lock has changed."""
    uv, python, stamp = Path(sys.executable).parent / "uv", HOME / "bin" / "python", HOME / "lock.sha256"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        sys.stdout.write(f"setting up: the compared libraries (uv) in {HOME} ...\n")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, HOME], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", LOCK], check=True)
        stamp.write_text(digest)
    return python


def _round(here: Place, python: Path, files: Iterator[str], say: Say) -> Iterator[Pair]:
    users, records = here.sizes.users, here.sizes.users * len(JOINED)
    say("ours")
    path = next(files)
    mine = ours.consume("notification", here.bootstrap, path, records)
    _require_effect("ours", path, users)
    for name in PROGRAMS:
        say(name)
        path = next(files)
        ours.prepare("notification", here.bootstrap, path)
        result = _run(python, name, here.bootstrap, path, records)
        _require_effect(name, path, users)
        yield Pair("notification", result.library, result.rate, mine)


def _run(python: Path, name: str, bootstrap: str, path: str, records: int) -> Result:
    argv = [str(python), "-m", f"tests.bench.theirs.{name}", bootstrap, path, str(records)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode != 0:
        raise CompetitorError(f"{name} ended with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)


def _require_effect(name: str, path: str, users: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}  # noqa: S608  # ours
        waiting = database.execute("SELECT count(*) FROM waiting").fetchone()[0]
    if set(rows.values()) != {users} or waiting:
        raise CompetitorError(f"{name}: of {users} users there should be a row each, none waiting; {rows}, {waiting}")
