"""Files of an export: a data file for each run and the position file, written so that a crash at any point is harmless.

A run writes its data under a hidden name and syncs it, replaces the position file, which is the commit, and gives the
data its name. So a named file is complete, committed, and never changes. The next run names what a crash left unnamed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from services.console.export import position as positions
from services.console.export.position import Position
from services.console.failures import UsageError

SUFFIX = ".position.json"


class Files:
    """The files of the export with a position file: data is in the folder beside it that has the topic's name."""

    def __init__(self, position: Path, topic: str) -> None:
        self.position = position
        self._folder = position.parent / topic

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and hold its lock, so that one run at a time writes. Raises UsageError, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise UsageError(f"another export writes in {self._folder} now: wait for its end") from None
        finally:
            os.close(folder)

    def data(self, position: Position) -> Path:
        """Return the data file of the run that made a position."""
        return self._folder / f"{position.files:06}.{position.format}"

    @contextmanager
    def writing(self, position: Position) -> Iterator[IO[bytes]]:
        """Yield the unnamed data file of a run, and sync it; it is removed on any error. Raises UsageError, OSError."""
        part, data = self._part(position), self.data(position)
        if data.exists():
            raise UsageError(f"{data} is there already, so {self.position} is an old copy: restore its newest one")
        try:
            with part.open("wb") as file:
                yield file
                _sync(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def commit(self, position: Position) -> None:
        """Replace the position file and name the data of the run, if it has written any."""
        _sync_folder(self._folder)
        unnamed = self.position.with_name(f".{self.position.name}.part")
        with unnamed.open("wb") as file:
            file.write(positions.text(position))
            _sync(file)
        unnamed.replace(self.position)
        _sync_folder(self.position.parent)
        self.name_data(position)

    def name_data(self, position: Position) -> None:
        """Name the data file of the run that committed a position, unless it was done."""
        with suppress(FileNotFoundError):
            self._part(position).rename(self.data(position))
            _sync_folder(self._folder)

    def _part(self, position: Position) -> Path:
        return self._folder / f".{self.data(position).name}.part"


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
