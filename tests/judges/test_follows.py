"""The program that follows a log over HTTP: it accepts a log that grew, and refuses a fork that its key signed."""

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.workbench.local.ports import HOST
from tests.judges.built_log import BuiltLog
from tests.support.judge_programs import own_judge

pytestmark = pytest.mark.long
ENTRIES = [f"entry {number}".encode() for number in range(700)]
JUDGE_S = 60.0


class Served:
    """A log in a folder at an address."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.log = BuiltLog(folder, ENTRIES)
        self.log.write()
        self.log.write_file("policy", self.log.policy.encode())

    def follow(self, seen: bytes) -> subprocess.CompletedProcess[str]:
        """Run the program as somebody who has seen a checkpoint."""
        self.log.write_file("seen", seen)
        folder = self.log.folder
        argv = [str(own_judge("follows")), self.url, str(folder / "policy"), str(folder / "seen")]
        return subprocess.run(argv, capture_output=True, text=True, timeout=JUDGE_S, check=False)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A handler that logs no requests."""

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Served(tmp_path, f"http://{HOST}:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize("seen", [1, 255, 256, 257, 699, 700])
def test_a_log_that_grew_is_accepted(served: Served, seen: int) -> None:
    done = served.follow(BuiltLog(served.log.folder, ENTRIES[:seen]).note())
    assert (done.returncode, done.stdout) == (0, served.log.note().decode()), done.stderr


def test_a_fork_a_cut_and_a_missing_cosignature_are_refused(served: Served) -> None:
    fork = BuiltLog(served.log.folder, [*ENTRIES[:99], b"another", *ENTRIES[100:300]])
    longer = BuiltLog(served.log.folder, [*ENTRIES, b"one more"])
    assert served.follow(fork.note()).returncode == 1
    assert "has 700 entries, and had 701" in served.follow(longer.note()).stderr
    served.log.write_file("checkpoint", served.log.note(cosigned=False))
    assert served.follow(BuiltLog(served.log.folder, ENTRIES[:300]).note()).returncode == 1
