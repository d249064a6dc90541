"""`console load` beside a test: started, waited for, and read as figures."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import variables
from services.console.tokens.found_key import given
from services.workbench.load.command import Result
from services.workbench.load.outcome import Outcome
from services.workbench.local.system import clean_environment
from services.workbench.local.trial import HISTORY
from tests.support.console_process import argv
from tests.support.stories.mailboxes import Mailpit
from tests.support.stories.target import Target

RATE = 100.0
POPULATION = 50
STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 180.0
TAIL = 50  # lines: its tables
MEASURED = "registered"  # printed once the population is registered and the load begins


class Load:
    """A load under way."""

    def __init__(self, target: Target, seconds: float, folder: Path, rate: float) -> None:
        self._json = folder / "load.json"
        self._seconds = seconds
        self._said: list[str] = []
        self._begun = threading.Event()
        options = ("--rate", rate, "--seconds", seconds, "--population", POPULATION)
        files = ("--json", self._json, "--history", folder / HISTORY)
        urls = ("--user-url", target.urls["user"], "--audit-url", target.urls["audit"])
        environment = variables(KafkaSettings, target.kafka) | {"APP_DEADLINE": f"{ENDS_WITHIN_S:g}s"} | given()
        self.child = subprocess.Popen(
            argv("load", *map(str, [*options, *files]), *urls),
            env=clean_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def await_begin(self) -> None:
        """Wait until requests are measured."""
        assert self._begun.wait(STARTS_WITHIN_S), f"the load has not begun: {self.output()}"

    def outcome(self) -> Outcome:
        """Wait for its end, and return its figures."""
        self.child.wait(self._seconds + ENDS_WITHIN_S)
        self._reader.join()
        assert self._json.exists(), f"the load has failed: {self.output()}"
        return msgspec.json.decode(self._json.read_bytes(), type=Result).last

    def output(self) -> str:
        """Return the end of what the console wrote so far."""
        return "".join(self._said[-TAIL:])

    def close(self) -> None:
        """End the console if it still runs."""
        self.child.kill()
        self.child.wait()
        self._reader.join()
        if self.child.stdout:
            self.child.stdout.close()

    def _listen(self) -> None:
        for line in self.child.stdout or ():
            self._said.append(line)
            if MEASURED in line:
                self._begun.set()


@contextlib.contextmanager
def under_load(target: Target, seconds: float, folder: Path, rate: float = RATE) -> Iterator[Load]:
    """Offer requests at a rate; the block begins with the first of them."""
    if isinstance(target, Mailpit):
        target.forget()  # where mails are kept in memory, those of one load are enough
    load = Load(target, seconds, folder, rate)
    try:
        load.await_begin()
        yield load
    finally:
        load.close()


def losses(outcome: Outcome) -> list[str]:
    """Return what is wrong, a line each: requests that failed, and what is missing or made up; the log may repeat."""
    failed = [f"{number} requests failed: {kind}" for kind, number in outcome.errors.items()]
    wrong = [str(line) for line in outcome.lines if line.missing or line.unexpected]
    return failed + wrong
