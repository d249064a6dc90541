"""The command `chaos`: plays a campaign, makes every check, and writes the report."""

import asyncio
import os
import random
import sys
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.messages.terminal import print_line
from services.chassis.settings.environment import load as load_settings
from services.chassis.telemetry import logs
from services.console.failures import WRONG
from services.workbench.chaos import report
from services.workbench.chaos.campaign import Campaign, Played, Size, new_history
from services.workbench.chaos.site import Target, folder_of, site
from services.workbench.chaos.totals import mail_repeats
from services.workbench.failures import reported
from services.workbench.reconcile.checks import CONVERGED_S, Checked, is_well, settled
from services.workbench.reconcile.collection import collected, sink_mails
from services.workbench.reconcile.command import operations_of, show
from services.workbench.reconcile.history import recording
from services.workbench.settings import WorkbenchSettings

SEEDS, USERS = 10_000, 200
PICTURE, PAGE = "report.svg", "report.md"


def chaos(
    target: Annotated[
        Target, typer.Option(help="A system of its own on this machine, with files or PostgreSQL; or one that runs.")
    ] = Target.LOCAL,
    seed: Annotated[int | None, typer.Option(min=0, help="Chooses the faults and their times.")] = None,
    seconds: Annotated[float, typer.Option(min=10, help="How long requests are sent.")] = 100.0,
    rate: Annotated[float, typer.Option(min=1, help="Requests a second.")] = 60.0,
    faults: Annotated[int, typer.Option(min=1, help="How many, one after the other.")] = 8,
) -> None:
    """Break a loaded system, as a seed decides, and find anomalies: 0 none, 1 some."""
    console = Console()
    logs.configure("chaos", "critical")  # clients would report each outage that is caused here
    chosen = random.randrange(SEEDS) if seed is None else seed  # noqa: S311  # no secret
    size = Size(rate=rate, seconds=seconds, faults=faults, users=USERS)
    say = partial(print_line, console)
    with reported():
        settings = load_settings(WorkbenchSettings, os.environ)
        with site(settings, target, say) as broken:
            say(f"seed {chosen}: {rate:g} requests a second for {seconds:g} s on {broken.name}, {faults} faults")
            history = new_history(folder_of(settings, target))
            played = asyncio.run(_played(Campaign(broken, size, chosen, say), history))
            unknown = f", {played.unknown:,} never answered" if played.unknown else ""
            accepted = f"{played.commands:,} commands accepted in {played.requests:,} requests{unknown}"
            say(f"{accepted}; comparing everything")
            ended, operations = time.monotonic(), operations_of(history)
            KafkaAdmin(broken.evidence.kafka, "chaos").reach(CONVERGED_S)  # the last fault may have ended just now
            outcome = settled(partial(collected, broken.evidence, operations), CONVERGED_S)
            converged = time.monotonic() - ended
            show(console, outcome, broken.evidence.audit_url)
            sink = broken.evidence.mails
            repeats = None if sink is None else mail_repeats(sink_mails(sink), played.faults)
            if repeats and not repeats.is_explained:
                broken.problems.append(f"{repeats.found:,} repeated mails; the faults explain {repeats.bound:,}")
            size_given = f"--rate {rate:g} --seconds {seconds:g} --faults {faults}"
            command = f'make chaos SEED={chosen} TARGET={target} ARGS="{size_given}"'
            facts = report.Facts(broken.name, chosen, command, converged, repeats)
            # Before the system is stopped, which can fail.
            say(f"report: {_written(history.parent, facts, played, outcome)}")
    for problem in broken.problems:
        say(f"WRONG {problem}")
    sys.exit(0 if is_well(outcome) and not broken.problems else WRONG)


async def _played(campaign: Campaign, history: Path) -> Played:
    with recording(history) as recorder:
        return await campaign.play(recorder, f"chaos-{uuid.uuid4().hex[:8]}")


def _written(folder: Path, facts: report.Facts, played: Played, outcome: Sequence[Checked]) -> Path:
    (folder / PICTURE).write_text(report.svg(played))
    path = folder / PAGE
    path.write_text(report.markdown(facts, played, outcome, PICTURE))
    return path
