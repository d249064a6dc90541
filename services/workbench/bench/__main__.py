"""The benchmark: `python -m services.workbench.bench [PART …] [--json]` prints ratios, spread, machine and versions.

docs/bench.md documents what is measured and how.
"""

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from services.chassis.telemetry import logs
from services.workbench.bench import competitors, consumers, registrations, scraping, tracing
from services.workbench.bench.access import throughput
from services.workbench.bench.limits import neighbours
from services.workbench.bench.mails import sending
from services.workbench.bench.outbox import published, relaying
from services.workbench.bench.outcome import WIDTH, Outcome, run, table
from services.workbench.bench.replays import as_of
from services.workbench.bench.revisions import auditing, comparison, tree
from services.workbench.bench.setting import Sizes, machine

PARTS = {
    "a": consumers.part,
    "b": registrations.part,
    "c": relaying.part,
    "d": competitors.part,
    "e": scraping.part,
    "f": tracing.part,
    "g": comparison.part,
    "h": sending.part,
    "i": published.part,
    "j": as_of.part,
    "k": auditing.part,
    "l": throughput.part,
    "m": neighbours.part,
}
INTERRUPTED = 130
JSON = Path(".eventline/bench.json")


def main() -> int:
    """Run the parts that are named, or all. Returns the exit code, 0 if it ran, whatever the ratios are.

    After Ctrl-C it prints the parts that are whole, and returns 130.
    """
    arguments = _arguments()
    console, sizes = Console(width=None if sys.stdout.isatty() else WIDTH), Sizes(before=arguments.before)
    logs.configure("bench", "warning")
    outcomes: list[Outcome] = []
    try:
        for name in arguments.parts or PARTS:
            with PARTS[name](sizes) as part:
                outcomes += run(part, sizes.rounds, console)
    except KeyboardInterrupt:
        console.print(table(outcomes) if outcomes else "interrupted before the first part was whole")
        return INTERRUPTED
    ran_on = f"{sizes.rounds} rounds; {machine()}"
    console.print(table(outcomes))
    console.print(ran_on)
    if arguments.json:
        JSON.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": ran_on, "outcomes": outcomes})))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.workbench.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{' '.join(PARTS)}; all of them without")
    parser.add_argument("--json", action="store_true", help=f"write {JSON} too")
    parser.add_argument("--before", default=Sizes().before, help="the git revision that (g) compares (%(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if "g" in (arguments.parts or PARTS):
        try:
            tree.commit(arguments.before)  # now, not when the other parts have taken their time
        except tree.RevisionError as error:
            parser.error(str(error))
    return arguments


if __name__ == "__main__":
    sys.exit(main())
