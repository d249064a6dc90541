"""Writes the rules file: `python -m k8s.alerts`; `--scale 0.02 --to FILE` writes one with short windows, for tests."""

import argparse
import sys
from pathlib import Path

from k8s.alerts.rules import text

RULES = Path(__file__).parents[2] / "charts/observability/files/rules.yml"


def main() -> None:
    """Write the file where it has changed, and say so."""
    parser = argparse.ArgumentParser(prog="python -m k8s.alerts", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="what windows, waits and sizes are multiplied by")
    parser.add_argument("--to", type=Path, default=RULES)
    told = parser.parse_args()
    rules = text(told.scale)
    if not told.to.exists() or told.to.read_text() != rules:
        told.to.write_text(rules)
        sys.stdout.write(f"{told.to}: written\n")


if __name__ == "__main__":
    main()
