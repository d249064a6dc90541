"""Child processes with a log file, a readiness check and an end. Knows neither Kafka nor the services.

A child lives in a session of its own, so that Ctrl-C reaches the console alone, which then ends its
children in order. When the console is killed, so are its children, from their first moment on: see TIED.
"""

import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

POLL_SECONDS = 0.05
LOG_LINES = 15
# Before it becomes the program, the child starts a watcher in its process group. It reads from a pipe whose only
# writing end is the console's. Nothing is ever written: the pipe's end means that the console has closed it or is dead.
TIED = ("/bin/sh", "-c", 'exec 3<&0 </dev/null; { read _ <&3; kill -KILL 0; } & exec "$@" 3<&-', "tied")
Check = Callable[[], str | None]


class ProcessError(Exception):
    """A child died, is not ready in time or does not end; the message carries the end of its log."""


class Program(msgspec.Struct, frozen=True):
    """A program to start. `ready` returns None once the program can be used, else what was last seen."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    ready: Check

    def with_environment(self, more: Mapping[str, str]) -> "Program":
        """Return the program with more variables, or other values."""
        return msgspec.structs.replace(self, environment={**self.environment, **more})


class Process:
    """One run of a program. Output is appended to its log."""

    def __init__(self, program: Program) -> None:
        self.program = program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            self._child = subprocess.Popen(  # our own programs
                (*TIED, *program.argv),
                env=program.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._child.pid

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal's number, or None while it runs."""
        if (code := self._child.poll()) is not None:
            self._untie()
        return code

    def require_running(self) -> None:
        """Raise ProcessError with the end of the log if it has ended."""
        if (code := self.exit_code()) is not None:
            raise self._error(f"ended with exit code {code}")

    def wait_ready(self, seconds: float) -> None:
        """Wait until the program can be used; raises ProcessError when it dies or the time is over."""
        deadline = time.monotonic() + seconds
        while (seen := self.program.ready()) is not None:
            self.require_running()
            if time.monotonic() > deadline:
                raise self._error(f"is not ready after {seconds:g} s: {seen}")
            time.sleep(POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Send SIGTERM, once: a second one would end an orderly end."""
        self._child.terminate()

    def wait_end(self, seconds: float) -> int:
        """Wait for its end and return the exit code; kill it and raise ProcessError when it takes longer."""
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._error(f"did not end within {seconds:g} s and was killed") from None
        self._untie()
        return code

    def kill(self) -> None:
        """End it with SIGKILL, now; nothing happens when it has ended."""
        self._child.kill()
        self._child.wait()
        self._untie()

    def _untie(self) -> None:
        """End the watcher."""
        if self._child.stdin:
            self._child.stdin.close()

    def _error(self, problem: str) -> ProcessError:
        lines = self.program.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        tail = "\n".join(f"  | {line}" for line in lines)
        return ProcessError(f"{self.program.name} {problem}; the end of {self.program.log}:\n{tail}")


def answers(host: str, port: int) -> str | None:
    """Return None when something listens there, else what was seen."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError as error:
        return f"{host}:{port}: {error}"
    return None


def probe(host: str, port: int, path: str) -> str | None:
    """Return None when an HTTP GET is answered by 200, else what was seen."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"http://{host}:{port}{path}: {error!r}"
    finally:
        connection.close()
    return None if response.status == http.client.OK else f"{path} answered {response.status} {body}"
