"""Writes the catalogue of metrics: `make docs`, or `python -m tests.metrics`."""

import sys

from tests.metrics.catalogue import PATH, text

if __name__ == "__main__" and (not PATH.exists() or PATH.read_text() != text()):
    PATH.write_text(text())
    sys.stdout.write(f"{PATH.relative_to(PATH.parents[1])}: written\n")
