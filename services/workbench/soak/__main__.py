"""The long checks: `python -m services.workbench.soak` runs them and prints one table of their figures.

`… memory rebuild` runs only those; `--scale 0.01` makes them small. The others run even if one fails; then the exit
code is 1. The table is also written to .eventline/soak.json.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from services.workbench.soak.steps import Report, Step, steps

STATE = Path(".eventline")
LOAD_RESULT = STATE / "soak-load.json"
RESULT = STATE / "soak.json"


class Done(msgspec.Struct, frozen=True):
    """A step that ran: its name, what it shows, how long it took in seconds, what it found."""

    name: str
    shows: str
    seconds: float
    figures: Sequence[str]
    problems: Sequence[str]


def run(step: Step) -> Done:
    """Run a step's program, whose words are passed on as they come."""
    started = time.monotonic()
    lines = []
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **step.environment}
    with subprocess.Popen(
        step.argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        for line in child.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line.rstrip())
    found = _read(step, lines)
    wrong = [*found.problems, *([f"it ended with exit code {child.returncode}"] if child.returncode else [])]
    return Done(step.name, step.shows, time.monotonic() - started, found.figures, wrong)


def _read(step: Step, lines: Sequence[str]) -> Report:
    try:
        return step.read(lines)
    except (OSError, msgspec.MsgspecError) as error:
        return Report([], [f"its result cannot be read: {error}"])


def table(done: Sequence[Done]) -> Table:
    """Return what was found, a row for each step."""
    result = Table(title="The soak", title_justify="left", box=box.SIMPLE_HEAD, show_lines=True)
    result.add_column("Step", no_wrap=True)
    result.add_column("Took", justify="right", no_wrap=True)
    result.add_column("Measured", overflow="fold")
    result.add_column("Verdict", no_wrap=True)
    for one in done:
        verdict = "[bold red]WRONG[/]" if one.problems else "[bold green]right[/]"
        text = "\n".join([f"[bold]{one.shows}[/]", *one.figures, *(f"[red]{line}[/]" for line in one.problems)])
        result.add_row(one.name, f"{one.seconds:,.0f} s", text, verdict)
    return result


def main() -> int:
    """Run the steps that were asked for. Returns the exit code: 1 when one is wrong, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m services.workbench.soak", description=__doc__)
    names = [step.name for step in steps(1, 1, LOAD_RESULT)]
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"some of {', '.join(names)} (all)")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the full size, 0.01 a hundredth (1)")
    parser.add_argument("--rate", type=int, default=100, help="first rate of the search for the maximum (100)")
    options = parser.parse_args()
    if unknown := set(options.steps) - set(names):
        parser.error(f"no step {', '.join(sorted(unknown))}: there are {', '.join(names)}")
    console, done = Console(), []
    LOAD_RESULT.unlink(missing_ok=True)
    try:
        for step in steps(options.scale, options.rate, LOAD_RESULT):
            if step.name in (options.steps or names):
                console.rule(f"{step.name}: {step.shows}")
                done.append(run(step))
    except KeyboardInterrupt:
        return 130
    finally:
        console.print(table(done))
        RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(done)))
    return 1 if any(one.problems for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
