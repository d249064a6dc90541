"""A PostgreSQL server of the tests' own, from Debian's package: started once, a fresh database per test."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from services.workbench.polling import until

READY_S = 30.0


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest version's, or None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def version(folder: Path) -> str:
    """Return the server's version line."""
    return subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True).stdout.strip()


class Server:
    """A running server; `close` stops it and removes its files. Only a `durable` one waits for the disk.

    Its files are in a new folder of `parent`, by default where temporary files are.
    """

    def __init__(self, folder: Path, port: int, *, durable: bool = False, parent: Path | None = None) -> None:
        self.port = port
        self._durable = durable
        self._home = Path(tempfile.mkdtemp(prefix="eventline-postgres-", dir=parent))
        self._folder = folder
        self._databases = 0
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(self._home, "postgres")
        options = ["--auth=trust", "--username=eventline", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", *options, "-D", str(self._home / "data"))
        self._process = self._start()
        self._await_ready()

    def fresh_url(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://eventline@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """Stop at once, as if killed."""
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", str(self._home / "data"))
        self._process.wait(READY_S)

    @property
    def has_ended(self) -> bool:
        """Return whether it has ended, by itself or stopped."""
        return self._process.poll() is not None

    def start(self) -> None:
        """Start what was stopped, and wait until it answers."""
        self._process = self._start()
        self._await_ready()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspend every process of the server with SIGSTOP, and continue them at the end."""
        main = int((self._home / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(main, signal.SIGSTOP)  # first: it starts no further process
        children = [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in (*children, main):
                os.kill(pid, signal.SIGCONT)
            self._process.send_signal(signal.SIGCONT)  # runuser stops itself when its child stops

    def close(self) -> None:
        """Stop at once; nothing here is worth keeping."""
        self.stop()
        shutil.rmtree(self._home)

    def _start(self) -> subprocess.Popen[bytes]:
        # fsync off: tests are about what is committed, not about power failure. Measurements are.
        fsync = f"fsync={'on' if self._durable else 'off'}"
        options = ["-p", str(self.port), "-c", fsync, "-c", "listen_addresses=127.0.0.1"]
        command = [
            str(self._folder / "postgres"),
            "-D",
            str(self._home / "data"),
            "-k",
            str(self._home),
            *options,
        ]
        with (self._home / "log").open("wb") as log:
            return subprocess.Popen([*self._as_user, *command], stdout=log, stderr=log, cwd="/")

    def _await_ready(self) -> None:
        def connected() -> bool:
            psycopg.connect(self._dsn("postgres")).close()
            return True

        try:
            until("PostgreSQL is ready", connected, seconds=READY_S, passing=psycopg.OperationalError)
        except TimeoutError as error:
            error.add_note((self._home / "log").read_text())
            raise

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=eventline dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._folder / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/")
