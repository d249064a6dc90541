"""Commands of the workbench: the local system, its demo, its load and its benchmarks."""

import asyncio
import os
import re
import sys
import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.chassis.settings.environment import load as load_settings
from services.console.failures import WRONG, UsageError
from services.console.flags import flags
from services.workbench.backlog import Backlog
from services.workbench.chaos.command import chaos
from services.workbench.demo.display import Display
from services.workbench.demo.report import print_result, print_verdict
from services.workbench.demo.run import Demo
from services.workbench.failures import reported
from services.workbench.faults.command import break_
from services.workbench.live.run import Run
from services.workbench.load.command import load
from services.workbench.load.options import LoadOptions
from services.workbench.local import sink as mail_sink
from services.workbench.local.system import MAILS, verify_audit
from services.workbench.mails import newest
from services.workbench.reconcile.command import reconcile
from services.workbench.settings import WorkbenchSettings, protect
from services.workbench.tour.run import Tour, for_enter, for_nothing

NEXT = """
What to do next
  make tour             see one after the other what this system is about, three minutes
  make run STATE=demo   start the system again on the demo's data; it prints its addresses
  make verify           check every entry of the audit log that the demo left behind
  make help             everything else
"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def secure() -> None:
    """Run the whole system on this machine."""
    with reported():
        protect(os.environ)


@app.command()
def demo() -> None:
    """Run the whole system on this machine and count what happened."""
    console = Console()
    with reported(), Display(console) as display:
        result = Demo(_settings(), uuid.uuid4().hex[:8], display).play()
    print_result(console, result)
    console.print(NEXT, highlight=False, soft_wrap=True)
    sys.exit(WRONG if result.wrong() else 0)


@app.command()
def run(
    state: Annotated[str, typer.Option(help="The folder with its state; `demo` starts on the demo's data.")] = "run",
) -> None:
    """Start the whole system on this machine and stay up until Ctrl-C; its state is kept."""
    console = Console()
    with reported():
        if not re.fullmatch(r"[a-z0-9-]+", state):
            raise UsageError(f"--state {state!r}: use lower-case letters, digits and hyphens, such as demo")
        problems = Run(_settings(), console, state).stay()
    for problem in problems:
        console.print(f"[bold red]WRONG[/] {problem}", highlight=False, soft_wrap=True)
    sys.exit(WRONG if problems else 0)


@app.command()
def tour(
    *, unattended: Annotated[bool, typer.Option("--unattended", help="Do not wait for Enter between stops.")] = False
) -> None:
    """Show patterns, an outage, lag, a changed audit entry and users of an earlier moment, on a system of its own."""
    attended = sys.stdin.isatty() and not unattended
    with reported():
        problems = Tour(_settings(), Console(), for_enter if attended else for_nothing).play()
    sys.exit(WRONG if problems else 0)


@app.command()
def verify() -> None:
    """Verify the audit chain that the last demo left behind."""
    with reported():
        settings = _settings()
        folder = settings.folder("demo")
        if not (folder / "audit.db").exists():
            raise FileNotFoundError(f"there is no audit log of a demo in {folder}: run `make demo` first")
        done = verify_audit(settings, folder)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    sys.exit(done.returncode)


@app.command()
def backlog(records: Annotated[int, typer.Option(min=2, help="How many.")] = 200_000) -> None:
    """Let notification and audit consume a backlog, and check the memory that they take for it."""
    console = Console()
    with reported(), Display(console) as display:
        problems = Backlog(_settings(), display).consume(records)
    print_verdict(console, problems)
    sys.exit(WRONG if problems else 0)


@app.command()
def mails(number: Annotated[int, typer.Option(min=1, help="How many.")] = 5) -> None:
    """Show the newest mails of `make run`."""
    with reported():
        sys.stdout.writelines(f"{line}\n" for line in newest(_settings().running_folder() / MAILS, number))


@app.command()
def sink(
    port: Annotated[int, typer.Argument(help="Where to listen.")],
    file: Annotated[Path, typer.Argument(help="Where to write a JSON line per mail.")],
) -> None:
    """Accept mail on this machine and write it down, until SIGTERM."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()  # no mail is a file without a line, and a wrong path is an error
    asyncio.run(mail_sink.serve(port, file))


def _settings() -> WorkbenchSettings:
    return load_settings(WorkbenchSettings, os.environ)


app.command(name="break")(break_)
app.command(name="load")(flags(LoadOptions, load))
app.command(name="reconcile")(reconcile)
app.command(name="chaos")(chaos)

if __name__ == "__main__":
    app()
