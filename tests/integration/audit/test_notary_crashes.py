"""Processes that are killed at every step from append to publication, alone and two at once: one root for a size."""

import itertools
import random
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.audit.notary import checkpoint_store
from services.audit.tree import node_store
from services.chassis.database.database import Database
from services.workbench.local.system import ROOT
from tests.support.audit_log import open_log
from tests.support.notary_crash import POINTS, Run, Topic
from tests.support.notary_log import checkpoint_of, notary
from tests.support.witness_process import RecordingClient, WitnessProcess

KILLED = -signal.SIGKILL
PLACES = list(itertools.product(POINTS, ("before", "after")))
ROUNDS = 54  # of one process, then of two: 81 processes for each database, and each place three times
NOBODY = "http://127.0.0.1:1"


class Server:
    """The server of processes."""

    def __init__(self) -> None:
        argv = (sys.executable, "-m", "tests.support.notary_crash")
        self._process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self, runs: list[Run]) -> list[int]:
        """Let processes work side by side, and return their exit codes."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(runs).decode() + "\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=list[int])

    def close(self) -> None:
        """End it."""
        with self._process:
            pass  # closes its input, which ends it, and waits


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    witness = WitnessProcess(tmp_path / "witness")
    yield witness
    witness.kill()


def roots(topic: Topic, witness: RecordingClient, folder: Path) -> dict[int, set[bytes]]:
    """Return the roots of each size among everything that has left a process."""
    found: dict[int, set[bytes]] = defaultdict(set)
    file = folder / "checkpoint"
    for content in [*topic.values(), *witness.cosigned(), *([file.read_bytes()] if file.exists() else [])]:
        checkpoint = checkpoint_of(content)
        found[checkpoint.size].add(checkpoint.root)
    return found


@pytest.mark.long
def test_no_size_ever_has_two_roots_wherever_processes_are_killed(
    server: Server, witness: WitnessProcess, database: Database, database_url: str, tmp_path: Path
) -> None:
    open_log(database)
    topic, client = Topic(tmp_path / "topic"), RecordingClient(witness.url, tmp_path / "cosigned")
    seeds, codes = random.Random(19), Counter[int]()  # no secret
    for number in range(ROUNDS):
        places = [PLACES[number % len(PLACES)], seeds.choice(PLACES)][: 1 + number % 2]
        runs = [
            Run(database_url, str(tmp_path), witness.url, point, when, seeds.randint(1, 2), seeds.randrange(10**6))
            for point, when in places
        ]
        codes.update(server.round(runs))
        if number == ROUNDS // 2:
            witness.restart()
    assert set(codes) <= {0, KILLED}, codes
    assert codes[KILLED] >= ROUNDS
    last = notary(database, topic, tmp_path, client)
    last.step()
    last.step()
    found = roots(topic, client, tmp_path)
    assert {size: shown for size, shown in found.items() if len(shown) > 1} == {}
    with database.read() as connection:
        edge, published = node_store.edge_of(connection), checkpoint_store.newest_published(connection)
    assert published is not None
    assert (published.size, found[edge.size]) == (edge.size, {edge.root()})
    assert set(witness.answers()) == {200, 409}


@pytest.mark.long
def test_signing_inside_the_appends_transaction_is_found(
    server: Server, database: Database, database_url: str, tmp_path: Path
) -> None:
    open_log(database)
    topic, client = Topic(tmp_path / "topic"), RecordingClient(NOBODY, tmp_path / "cosigned")
    for seed in range(40):
        server.round([Run(database_url, str(tmp_path), NOBODY, "topic", "after", 1 + seed % 3, seed, wrong=True)])
        if any(len(shown) > 1 for shown in roots(topic, client, tmp_path).values()):
            return
    pytest.fail("the wrong order was not found in 40 runs")
