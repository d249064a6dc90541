"""Full disks and protected files, with the kernel's own: file systems in memory, and immutable files."""

import asyncio
import contextlib
import errno
import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.workbench.faults import local_parts
from services.workbench.faults.conditions.disks import Disk, Disks, mounted, unmount
from services.workbench.faults.conditions.network import Gate
from services.workbench.faults.conditions.protection import FileProtection
from services.workbench.faults.local_parts import LocalParts
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.system import System
from services.workbench.polling import until

ROOM = 1 << 20
ENDS, RUNS = "raise SystemExit(1)", "import time; time.sleep(600)"


class NoParts:
    """Parts of which none has ended."""

    async def restart_ended(self, part: str) -> None:
        """Start nothing."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted({"database": tmp_path / "disk"}) as disks:
        if not disks:
            pytest.skip("this process may not mount a file system")
        yield disks["database"]


def test_a_full_disk_takes_no_byte_until_it_is_empty_again(disk: Disk, tmp_path: Path) -> None:
    file = tmp_path / "disk" / "file"
    file.write_bytes(bytes(ROOM))
    disk.fill()
    with pytest.raises(OSError, match="No space left") as full:
        file.with_name("more").write_bytes(bytes(ROOM))
    assert full.value.errno == errno.ENOSPC
    assert file.read_bytes() == bytes(ROOM)
    disk.empty()
    file.with_name("more").write_bytes(bytes(ROOM))


def test_a_disk_is_unmounted_at_the_end_also_one_that_a_killed_process_has_left(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with mounted({"database": folder}) as disks:
        if not disks:
            pytest.skip("this process may not mount a file system")
        assert folder.is_mount()
        unmount([folder])
        assert not folder.is_mount()
    unmount([folder])


def test_only_what_has_a_disk_of_its_own_can_be_full(tmp_path: Path) -> None:
    disks = Disks({"database": Disk(tmp_path)}, NoParts())
    assert disks.obstacle("database") == ""
    assert "`make chaos` as root mounts one of its own" in disks.obstacle("broker")


def test_protected_files_refuse_writes_of_who_has_them_open_and_of_others_until_the_end(tmp_path: Path) -> None:
    file = tmp_path / "user.db"
    protection = FileProtection([file])
    if protection.obstacle("database"):
        pytest.skip("this process or its file system has no immutable files")
    with contextlib.closing(_store(file)) as opened:
        opened.execute("CREATE TABLE t (x)")
        asyncio.run(protection.begin("database"))
        try:
            for refused in (opened, _store(file)):
                with pytest.raises(sqlite3.OperationalError):
                    refused.execute("INSERT INTO t VALUES (1)")
            assert opened.execute("SELECT count(*) FROM t").fetchone() == (0,)
        finally:
            asyncio.run(protection.end("database"))
        opened.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize("code", [ENDS, RUNS])
def test_what_has_ended_by_itself_is_started_again_as_is_a_broker_that_may_end_yet_and_what_else_runs_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(local_parts, "ENDS_WITHIN_S", 0.5)
    both = {"broker": (sys.executable, "-c", code), "audit": (sys.executable, "-c", RUNS)}
    programs = [Program(name, argv, dict(os.environ), tmp_path / name, lambda: None) for name, argv in both.items()]

    async def restarted(system: System) -> None:
        parts = LocalParts(system, tmp_path)
        for name in ("broker", "audit"):
            await parts.restart_ended(name)

    with System(programs) as system:
        system.start("broker", "audit")
        before = {name: system.process(name).pid for name in system.running}
        if code == ENDS:
            until("it has ended", system.process("broker").exit_code, lambda code: code == 1)
        asyncio.run(restarted(system))
        after = {name: system.process(name).pid for name in system.running}
    assert after["broker"] != before["broker"]
    assert after["audit"] == before["audit"]


def test_nothing_passes_a_gate_that_is_shut_and_everything_once_it_is_open() -> None:
    port = free_ports(1)[0]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server((HOST, 0)))
        gate = stack.enter_context(contextlib.closing(Gate(port, server.getsockname()[1])))
        client = stack.enter_context(socket.create_connection((HOST, port)))
        far = stack.enter_context(server.accept()[0])
        client.sendall(b"one")
        assert far.recv(100) == b"one"
        gate.shut()
        until("it is shut", lambda: not gate._open.is_set())  # noqa: SLF001  # set in another thread
        client.sendall(b"two")
        stack.enter_context(socket.create_connection((HOST, port))).sendall(b"three")
        for blocked in (far, server):
            blocked.settimeout(0.2)
        with pytest.raises(TimeoutError):
            far.recv(100)
        with pytest.raises(TimeoutError):
            server.accept()
        gate.open()
        for passing in (far, server):
            passing.settimeout(10)
        assert far.recv(100) == b"two"
        assert stack.enter_context(server.accept()[0]).recv(100) == b"three"


def _store(file: Path) -> sqlite3.Connection:
    store = sqlite3.connect(file, isolation_level=None)
    store.execute("PRAGMA journal_mode=WAL")
    return store
