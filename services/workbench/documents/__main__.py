"""Writes the generated documents of contracts and metrics; called by `make docs`."""

import sys

from services.workbench.documents import metrics
from services.workbench.documents.contracts import write

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in write())
    if not metrics.PATH.exists() or metrics.PATH.read_text() != metrics.text():
        metrics.PATH.write_text(metrics.text())
        sys.stdout.write(f"{metrics.PATH.relative_to(metrics.PATH.parents[1])}: written\n")
