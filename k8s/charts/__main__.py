"""Writes what is generated of the charts: `python -m k8s.charts`."""

import sys

from k8s.charts.documents import write

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in write())
