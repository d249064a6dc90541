"""Writes what is generated of the charts: `python -m tests.charts`."""

import sys

from k8s.charts.documents import write

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in write())
