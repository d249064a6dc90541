"""The command `reconcile`: collects the evidence of a running system, makes every check, and prints one table."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.messages.terminal import print_line
from services.chassis.settings.environment import load as load_settings
from services.chassis.telemetry import logs
from services.console.failures import WRONG, UsageError
from services.console.running import Running, database_urls, find
from services.workbench.failures import reported
from services.workbench.local.system import MAILS
from services.workbench.reconcile import client_checks, effect_checks, history, log_checks
from services.workbench.reconcile.collection import System, collected
from services.workbench.reconcile.evidence import Evidence
from services.workbench.reconcile.finding import Check, Finding
from services.workbench.settings import WorkbenchSettings

CHECKS = (*client_checks.CHECKS, *log_checks.CHECKS, *effect_checks.CHECKS)
EXAMPLES = 32  # of each anomaly
CONVERGED_S, PAUSE_S = 60.0, 3.0


class Checked(msgspec.Struct, frozen=True):
    """The outcome of a check. Findings are None if it could not be made, for want of a part of the evidence."""

    check: Check
    findings: Sequence[Finding] | None


def reconcile(
    history_file: Annotated[
        Path | None, typer.Option("--history", help="The history of clients: a file that `load --history` wrote.")
    ] = None,
    within: Annotated[
        float, typer.Option(min=0, help="Seconds for what may only be late: anomalies are looked for again.")
    ] = CONVERGED_S,
) -> None:
    """Compare the log of the running system with rows, mails, audit log and clients: 0 all well, 1 anomalies."""
    console = Console()
    logs.configure("reconcile", "error")
    with reported():
        settings = load_settings(WorkbenchSettings, os.environ)
        operations = None if history_file is None else _history(history_file)
        running = find(settings, os.environ)
        with console.status("") as status:
            evidence = partial(collected, _system(settings, running), operations, status.update)
            outcome = _settled(evidence, within)
    for line in report(console, outcome, running.urls["audit"]):
        print_line(console, line)
    sys.exit(WRONG if any(one.findings for one in outcome) else 0)


def checked(evidence: Evidence) -> list[Checked]:
    """Make every check for which there is evidence."""
    return [Checked(check, list(check.find(evidence)) if _is_possible(check, evidence) else None) for check in CHECKS]


def report(console: Console, outcome: Sequence[Checked], audit_url: str) -> list[str]:
    """Print the table of the checks; return a line for each example of what was found, with its journey."""
    table = Table("anomaly", "is", "allowed", "found", title="Anomalies, under Jepsen's names")
    lines = []
    for check, findings in ((one.check, one.findings) for one in outcome):
        count = "not checked" if findings is None else f"{len(findings):,}"
        style = "red" if findings else "dim" if findings is None else ""
        table.add_row(check.name, check.meaning, check.allowed, count, style=style)
        for one in islice(findings or (), EXAMPLES):
            journey = f", {audit_url}/audit/journeys/{one.command}.html" if one.command else ""
            lines.append(f"{check.name}: {one.what}{journey}")
    console.print(table)
    return lines


def _settled(collect: Callable[[], Evidence], within: float) -> list[Checked]:
    """Look again while something is found, until what may only be late has had its time."""
    deadline = time.monotonic() + within
    while True:
        try:
            outcome = checked(collect())
        except (httpx.HTTPError, SQLAlchemyError) as error:
            raise ConnectionError(f"the system cannot be compared now: {error}") from error
        if time.monotonic() > deadline or not any(one.findings for one in outcome):
            return outcome
        time.sleep(PAUSE_S)


def _history(path: Path) -> list[history.Operation]:
    try:
        return list(history.read(path))
    except history.HistoryError as error:
        raise UsageError(str(error)) from error


def _system(settings: WorkbenchSettings, running: Running) -> System:
    here = not running.mails and not settings.kafka_bootstrap_servers  # that of `make run`, whose files are here
    mails = settings.running_folder() / MAILS
    return System(
        kafka=replace(settings, kafka_bootstrap_servers=running.kafka),
        audit_url=running.urls["audit"],
        mails=mails if here and mails.exists() else None,
        user_database=database_urls(["user"])[0] if here or "APP_DATABASE_URL" in os.environ else None,
    )


def _is_possible(check: Check, evidence: Evidence) -> bool:
    return all(getattr(evidence, need) is not None for need in check.needs)
