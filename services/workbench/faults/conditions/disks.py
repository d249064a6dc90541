"""Disks of a system's own that can be full: file systems in memory, whose size becomes what is used of them."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from k8s.command import run
from services.workbench.faults.table import FaultError

SIZE = "size=50%"  # of the memory, which takes none of it: only what is written does
TRIES = 100  # while a disk is made full, it is written to
SHARED = "its files are on a disk that others use: `make chaos` as root mounts one of its own"


class Restarting(Protocol):
    """Parts that may end for want of room."""

    async def restart_ended(self, part: str) -> None:
        """Start a part again that has ended by itself, or ends within some seconds."""


class Disk:
    """A file system in memory at a folder. Raises FaultError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self) -> None:
        """Leave no room."""
        for _ in range(TRIES):
            found = os.statvfs(self._folder)
            used = max(1, found.f_blocks - found.f_bfree) * found.f_frsize
            if self._resized(f"size={used}"):
                return
        raise FaultError(f"{self._folder} grows faster than it can be made full")

    def empty(self) -> None:
        """Give the room back."""
        if not self._resized(SIZE):
            raise FaultError(f"{self._folder} stays full: mount -o remount,{SIZE} {self._folder}")

    def _resized(self, option: str) -> bool:
        command = ("mount", "-o", f"remount,{option}", str(self._folder))
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Disks:
    """The disks of targets, as the condition of the verb `fill`; see `condition.Condition`."""

    def __init__(self, disks: Mapping[str, Disk], parts: Restarting) -> None:
        self._disks = disks
        self._parts = parts

    def obstacle(self, target: str) -> str:
        """Return why a disk cannot be made full."""
        return "" if target in self._disks else SHARED

    async def begin(self, target: str) -> None:
        """Leave no room on a target's disk."""
        await asyncio.to_thread(self._disks[target].fill)

    async def end(self, target: str) -> None:
        """Give the room back, and start again what has ended for want of it, as a supervisor does."""
        await asyncio.to_thread(self._disks[target].empty)
        await self._parts.restart_ended(target)


@contextlib.contextmanager
def mounted(folders: Mapping[str, Path]) -> Iterator[Mapping[str, Disk]]:
    """Yield a disk of its own for each target; none where this process may not mount."""
    with contextlib.ExitStack() as stack:
        disks = {}
        for target, folder in folders.items():
            folder.mkdir(parents=True, exist_ok=True)
            if not _mount(folder):
                break
            stack.callback(unmount, [folder])
            disks[target] = Disk(folder)
        yield disks


def unmount(folders: Sequence[Path]) -> None:
    """Unmount what is mounted at folders, also what a process that was killed has left. Raises CommandError."""
    for folder in folders:
        while folder.is_mount():
            run("umount", str(folder))


def _mount(folder: Path) -> bool:
    if os.geteuid() != 0:
        return False
    command = ("mount", "-t", "tmpfs", "-o", f"{SIZE},mode=755", "eventline", str(folder))
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
