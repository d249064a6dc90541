"""(e): what a scrape costs each process in processor time, by its own count, under load, against what it may cost."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from services.chassis.telemetry.metrics.serving import SCRAPE_CPU
from services.contracts.service_list import JOBS
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import Sizes
from services.workbench.demo.display import Display
from services.workbench.load.run import Pace, Population, populated
from services.workbench.local.measured_system import Running, running
from services.workbench.settings import WorkbenchSettings

ALLOWED_US = 20_000
RATE, POPULATION = 60, 50
SECONDS, EVERY_S = 10.0, 0.5
# As Prometheus asks.
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"


@contextmanager
def part(_: Sizes) -> Iterator[Part]:
    """Yield the part, its system running."""
    runs = itertools.count(1)
    with tempfile.TemporaryDirectory(prefix="eventline-bench-") as name, running(Path(name)) as system:
        yield Part("e", "µs of CPU a scrape", 1, lambda say: _round(system, next(runs), say))


def _round(system: Running, run: int, say: Say) -> Iterable[Pair]:
    say(f"scrapes under {RATE} requests/s")
    costs = asyncio.run(_measured(system, run))
    return [Pair(f"/metrics of {job}", "allowed", ALLOWED_US, costs[job]) for job in JOBS]


async def _measured(system: Running, run: int) -> Mapping[str, float]:
    target = system.target()
    settings = WorkbenchSettings(kafka_bootstrap_servers=target.kafka.kafka_bootstrap_servers)
    population = Population(POPULATION, f"scrape{run}", run)
    with Display(Console(quiet=True)) as display:
        async with populated(target, settings, population, display) as play:
            loading = asyncio.create_task(play.at(Pace(RATE, SECONDS)))
            costs = await asyncio.to_thread(_scraped, system)
            await loading
    return costs


def _scraped(system: Running) -> Mapping[str, float]:
    """Return microseconds of processor time per scrape, as each process has counted them while it was loaded."""
    before, until = _counted(system), time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(EVERY_S)
        for job in JOBS:
            system.text(job, ACCEPT)
    after = _counted(system)
    return {job: (after[job][0] - before[job][0]) / (after[job][1] - before[job][1]) * 1e6 for job in JOBS}


def _counted(system: Running) -> dict[str, tuple[float, float]]:
    found = {job: {sample.name: sample.value for sample in system.samples(job)} for job in JOBS}
    return {job: (of[f"{SCRAPE_CPU.name}_sum"], of[f"{SCRAPE_CPU.name}_count"]) for job, of in found.items()}
