"""The benchmark: `python -m services.workbench.bench [PART …] [--json]` prints ratios, spread, machine and versions.

docs/bench.md documents what is measured and how.
"""

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from services.chassis.telemetry import logs
from services.workbench.bench import competitors, consumers, registrations, relaying, scraping, tracing
from services.workbench.bench.outcome import WIDTH, Outcome, run, table
from services.workbench.bench.setting import Sizes, machine

PARTS = {
    "a": consumers.part,
    "b": registrations.part,
    "c": relaying.part,
    "d": competitors.part,
    "e": scraping.part,
    "f": tracing.part,
}
JSON = Path(".eventline/bench.json")


def main() -> int:
    """Run the parts that are named, or all. Returns the exit code, 0 if it ran, whatever the ratios are."""
    arguments = _arguments()
    console, sizes = Console(width=None if sys.stdout.isatty() else WIDTH), Sizes()
    logs.configure("bench", "warning")
    outcomes: list[Outcome] = []
    for name in arguments.parts or PARTS:
        with PARTS[name](sizes) as part:
            outcomes += run(part, sizes.rounds, console)
    ran_on = f"{sizes.rounds} rounds; {machine()}"
    console.print(table(outcomes))
    console.print(ran_on)
    if arguments.json:
        JSON.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": ran_on, "outcomes": outcomes})))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.workbench.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="a b c d e f; all of them without")
    parser.add_argument("--json", action="store_true", help=f"write {JSON} too")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
