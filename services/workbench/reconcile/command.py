"""The command `reconcile`: collects the evidence of a running system, makes every check, and prints one table."""

import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.chassis.messages.terminal import print_line
from services.chassis.settings.environment import load as load_settings
from services.chassis.telemetry import logs
from services.console.failures import WRONG, UsageError
from services.console.running import Running, database_urls, find
from services.workbench.failures import reported
from services.workbench.local.system import MAILS
from services.workbench.reconcile import history, psql
from services.workbench.reconcile.checks import CONVERGED_S, Checked, examples, is_well, settled
from services.workbench.reconcile.collection import System, collected
from services.workbench.settings import WorkbenchSettings


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
        operations = None if history_file is None else operations_of(history_file)
        running = find(settings, os.environ)
        running.lend_token(settings.state_dir)
        with console.status("") as status:
            evidence = partial(collected, _system(settings, running), operations, status.update)
            outcome = settled(evidence, within)
    show(console, outcome, running.urls["audit"])
    sys.exit(0 if is_well(outcome) else WRONG)


def show(console: Console, outcome: Sequence[Checked], audit_url: str) -> None:
    """Print the table, and the examples of what was found."""
    console.print(table(outcome))
    for line in examples(outcome, audit_url):
        print_line(console, line)


def table(outcome: Iterable[Checked]) -> Table:
    """Return the table of the checks, with what was found."""
    shown = Table("anomaly", "is", "allowed", "found", title="Anomalies, under Jepsen's names")
    for check, findings in ((one.check, one.findings) for one in outcome):
        count = "not checked" if findings is None else f"{len(findings):,}"
        style = "red" if findings else "dim" if findings is None else ""
        shown.add_row(check.name, check.meaning, check.allowed, count, style=style)
    return shown


def operations_of(path: Path) -> list[history.Operation]:
    """Return the operations of a history. Raises UsageError, OSError."""
    try:
        return list(history.read(path))
    except history.HistoryError as error:
        raise UsageError(str(error)) from error


def _system(settings: WorkbenchSettings, running: Running) -> System:
    here = not running.mails and not settings.kafka_bootstrap_servers  # that of `make run`, whose files are here
    mails = settings.running_folder() / MAILS
    return System(
        kafka=running.client(settings),
        audit_url=running.urls["audit"],
        mails=mails if here and mails.exists() else None,
        mailpit_url=running.mails or None,
        psql_prefix=None if "APP_DATABASE_URL" in os.environ else psql.PREFIXES.get(running.name),
        user_database=database_urls(["user"])[0] if here or "APP_DATABASE_URL" in os.environ else None,
        notification_database=database_urls(["notification"])[0] if here else None,
    )
