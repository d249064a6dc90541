"""Memory and CPU use of processes: from /proc for those of this machine, from /metrics for others."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from services.workbench.local.system import System

MIB = 1024 * 1024
MOST_RESIDENT = 200 * MIB  # what a service may hold, however much it has done or has before it


class Usage(msgspec.Struct, frozen=True):
    """Bytes resident now and at most so far, and seconds of processor time since the start."""

    resident: int
    peak: int
    cpu_seconds: float


def of_process(pid: int) -> Usage | None:
    """Return what a process uses, None where there is no /proc, or no such process any more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    sizes = {name: int(size) * 1024 for name, size in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE)}
    ticks = int(after_name[11]) + int(after_name[12])  # utime and stime; proc_pid_stat(5), fields 14 and 15
    return Usage(sizes["VmRSS"], sizes["VmHWM"], ticks / os.sysconf("SC_CLK_TCK"))


def of_system(system: System, *names: str) -> dict[str, Usage]:
    """Return what each part uses, where that can be known."""
    found = {name: of_process(system.process(name).pid) for name in names}
    return {name: usage for name, usage in found.items() if usage}


def of_metrics(values: Mapping[str, float]) -> Usage:
    """Return what the process behind a scrape uses; its peak is not known there. Raises KeyError."""
    resident = int(values["process_resident_memory_bytes"])
    return Usage(resident, resident, values["process_cpu_seconds_total"])


def too_large(used: Mapping[str, Usage]) -> list[str]:
    """Return what is wrong with memory now, a line each."""
    return [
        f"{name} holds {usage.resident / MIB:,.0f} MiB, more than {MOST_RESIDENT // MIB} MiB"
        for name, usage in used.items()
        if usage.resident > MOST_RESIDENT
    ]


def in_words(used: Mapping[str, Usage]) -> str:
    """Return a line for people."""
    return ", ".join(f"{name} {usage.resident / MIB:,.0f} MiB" for name, usage in used.items()) or "not known here"
