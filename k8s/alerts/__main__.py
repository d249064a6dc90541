"""Writes the rules file: `python -m k8s.alerts`; `--scale 0.02 --to FILE` writes one with short windows, for tests."""

import argparse
import sys
from pathlib import Path

from k8s.alerts.rules import text

RULES = Path(__file__).parents[2] / "charts/observability/files/rules.yml"


def main() -> None:
    """Write the file if it has changed, and print its path."""
    parser = argparse.ArgumentParser(prog="python -m k8s.alerts", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="what windows, waits and sizes are multiplied by")
    parser.add_argument("--to", type=Path, default=RULES)
    options = parser.parse_args()
    rules = text(options.scale)
    if not options.to.exists() or options.to.read_text() != rules:
        options.to.write_text(rules)
        sys.stdout.write(f"{options.to}: written\n")


if __name__ == "__main__":
    main()
